"""What the pages and panels share: the frame of a page, templates, pictures, charts."""
