"""The result pages: what each shows stands in `tui.pages.contents`, the words that reports share in `tui.pages.words`."""
