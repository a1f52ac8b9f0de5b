"""Models: names and folders, chat formats, LoRA, averages, threads."""
