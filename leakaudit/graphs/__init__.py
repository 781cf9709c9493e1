"""
ONNX graphs: tried in a process of their own (trial), run (session), drawn anew (redrawing), described (graph).

What the file holds is read by `weights/onnx.py`, and understood by `anatomy`.
"""
