"""What `html` is made of: drawings, views, templates, one style sheet and a few lines of script."""
