"""Muon for the matrices of the blocks, AdamW for the rest; one learning-rate multiplier for both."""
import torch


def orthogonalise(g, steps=5):
    """Newton-Schulz iteration towards the nearest semi-orthogonal matrix (quintic coefficients of Jordan et al., 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (g / (g.norm() + 1e-7)).bfloat16()
    flip = x.size(0) > x.size(1)
    if flip: x = x.t()
    for _ in range(steps):
        gram = x @ x.t()
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.t() if flip else x).float()


class MuonAdamW:
    def __init__(self, model, muon_rate=0.02, adam_rate=3e-3, momentum=0.95, weight_decay=0.05):
        named = list(model.named_parameters())
        self.matrices = [p for n, p in named if p.dim() == 2 and "embedding" not in n]
        rest = [p for n, p in named if p.dim() != 2 or "embedding" in n]
        self.adam = torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.rates, self.momentum, self.weight_decay = (muon_rate, adam_rate), momentum, weight_decay
        self.buffers = [torch.zeros_like(p) for p in self.matrices]
        self.scales = [1.0] * len(self.matrices)

    def follow_norms(self, usual):
        """A matrix moves in proportion to its spectral norm, where that is above `usual`: for weights that come from elsewhere."""
        self.scales = [max(1.0, torch.linalg.matrix_norm(p.detach().float(), 2).item() / usual) for p in self.matrices]

    def zero_grad(self):
        for p in self.matrices: p.grad = None
        self.adam.zero_grad(set_to_none=True)

    @torch.no_grad()
    def step(self, multiplier):
        for group in self.adam.param_groups: group["lr"] = self.rates[1] * multiplier
        self.adam.step()
        rate = self.rates[0] * multiplier
        for p, buffer, scale in zip(self.matrices, self.buffers, self.scales):
            buffer.lerp_(p.grad, 1 - self.momentum)
            update = orthogonalise(p.grad.lerp(buffer, self.momentum))
            p.mul_(1 - rate * self.weight_decay).add_(update, alpha=-rate * scale * (p.size(0) / p.size(1) if p.size(0) > p.size(1) else 1) ** 0.5)

    def state_dict(self):
        return {"adam": self.adam.state_dict(), "buffers": self.buffers}

    def load_state_dict(self, state):
        self.adam.load_state_dict(state["adam"])
        for buffer, saved in zip(self.buffers, state["buffers"]): buffer.copy_(saved)
