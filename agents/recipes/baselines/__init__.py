"""What the methods are measured against: prompting, imitation, and plain policy gradient.

Names as in the papers: STaR and Pair-SFT for self-correction (Kumar et al. 2024, section 4; STaR is
RAFT in Xiong et al. 2025), Self-Refine (Madaan et al. 2023), and policy gradient without a stage I
and without shaping, the control that is expected to stop correcting (Kumar et al. 2024, section 5).
Intrinsic prompting and maj@k are rows of every recipe already.
"""
