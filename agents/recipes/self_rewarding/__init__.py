"""Self-rewarding correction (Xiong et al. 2025, arXiv 2502.19613)."""
