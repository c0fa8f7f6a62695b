"""What a message costs on a link: collectives, the messages of a layout, prices on every link."""
