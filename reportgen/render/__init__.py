"""The renderer: a results object in, HTML, PDF, figures and tables out."""
