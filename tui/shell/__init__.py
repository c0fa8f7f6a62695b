"""What runs in a shell: the command line, reports, lists, exports. Imports no Textual."""
