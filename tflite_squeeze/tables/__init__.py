"""Results as terminal tables, Markdown, CSV and HTML."""
