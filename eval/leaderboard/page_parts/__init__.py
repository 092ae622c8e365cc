"""The content of the page's sections: numbers, axes, colours; `templates/` writes it as HTML."""
