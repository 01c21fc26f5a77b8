"""A page, a picture and a Markdown text of the folder that a backtest wrote."""
