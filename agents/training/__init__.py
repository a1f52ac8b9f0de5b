"""Training: policy gradient with credit per segment, SFT, and DPO."""
