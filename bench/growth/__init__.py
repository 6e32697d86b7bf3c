"""`python -m bench.growth`: what grows with the rows of one application?"""
