"""The tables, one module each: ``make(data) -> polars.DataFrame`` and ``HEADINGS``, the printed columns."""
