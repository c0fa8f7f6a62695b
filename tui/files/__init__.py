"""What a person keeps: sessions, settings, and how they are read and written. Imports no Textual."""
