"""Tables, curves, panels, the HTML pages, the run card: what an evaluation leaves behind."""
