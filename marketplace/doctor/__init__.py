"""`marketplace doctor`: what stands against a good run, and what to do about it. It looks, and changes nothing."""
