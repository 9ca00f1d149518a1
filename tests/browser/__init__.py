"""The pages in a real browser: what is looked for on each of them, and a survey of all of them with pictures."""
