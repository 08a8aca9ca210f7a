//! Makes the page, the workbook and the texts for the client's sign-off out of a results file.
