"""The AI facilitator: rules that decide, words that explain, and a language model that is only asked for drafts and labels."""
