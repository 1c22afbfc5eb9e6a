"""The rules: a question, the index and the options, to an answer.

Everything that decides which names exist and which records they have is here, and only here.
Nothing is packed or remembered.
"""
