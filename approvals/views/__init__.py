"""The pages of deciding. Each view translates in, calls once, translates out."""
