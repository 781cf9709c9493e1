"""
The inquest: how the attack verb asks, lets attackers compete, decides whether anything is detected, and writes down.

From the bottom: who competes on which rows (arena, contest), the two tests (detection), what stands beside the verdict
(controls, baselines, learning, numbers, repeats), what is asked of one attribute and of all (questions, inquiry,
brief), and what a reader is told (portrait, standing, aptitude).
"""
