"""The instructor's side: build labs, run and judge submissions, record marks."""
