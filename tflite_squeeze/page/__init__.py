"""A report as one HTML file: plain data in, a page that needs no network out."""
