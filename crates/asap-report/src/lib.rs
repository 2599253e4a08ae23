//! What a run shows: pictures of cells, curves and the HTML report.
