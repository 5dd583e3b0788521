"""torch side (draft)."""
from __future__ import annotations
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from itertools import count
from pathlib import Path
import numpy as np
import torch
from torch import Tensor

def available():
    import importlib.util
    return importlib.util.find_spec("numba") is not None

@cache
def _revision():
    h = sha256()
    for p in sorted(Path(__file__).parent.glob("*.py")): h.update(p.read_bytes())
    return int.from_bytes(h.digest()[:6], "big")

@cache
def _kernel(direction, width):
    from numba import njit
    from .forward import forward_run
    from .backward import backward_run
    make = forward_run if direction == "forward" else backward_run
    return njit(cache=True, nogil=True)(make(width, _revision()))

def _fresh(*shape):
    return torch.from_numpy(np.empty(shape, np.float32))

def _groups(n):
    whole, rest = divmod(n, 16)
    if rest == 0: return [(16, 0, whole)]
    if rest <= 8: return ([(16, 0, whole)] if whole else []) + [(8, whole*16, 1)]
    return [(16, 0, whole + 1)]

def _pad(n): return -(-n // 8) * 8

def _pack(w, b):
    m, k3, f = w.shape; k = k3 // 3; p = _pad(k)
    full = w.new_zeros(m, 3, p, f + 1)
    full[:, :, :k, 1:] = w.view(m, 3, k, f)
    full[:, :, :k, 0] = b.view(m, 3, k)
    return full.view(m, 3 * p // 8, 8, f + 1).transpose(2, 3).contiguous()

def _pack_back(w, order):
    m, k3, f = w.shape; k = k3 // 3
    p = _pad(k); q = _pad(f)
    full = w.new_zeros(m, 3, p, q)
    full[:, :, :k, :f] = w.view(m, 3, k, f)[:, order]
    return full.view(m, 3 * p, q // 8, 8).permute(0, 2, 1, 3).contiguous()

def _flat(t): return t.detach().reshape(-1).numpy()

def _run(kernel, inputs, outputs, sizes, n_items, threads):
    pieces = min(n_items, 4 * threads) if threads > 1 else 1
    edges = [n_items * i // pieces for i in range(pieces + 1)]
    counter = count()
    def work():
        while (i := next(counter)) < pieces:
            kernel(inputs, outputs, sizes, edges[i], edges[i + 1])
    if threads == 1:
        work(); return
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
        for o in others: o.result()

EMPTY = np.empty(0, np.float32)
class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, source, w_ih, w_hh, b_ih, b_hh, h0, mask, threads):
        m, n, l, f = source.shape; k = h0.shape[-1]
        source = source.contiguous(); h0 = h0.contiguous()
        flags = np.empty(0, np.bool_) if mask is None else _flat(mask)
        wi = EMPTY if w_ih is None else _flat(_pack(w_ih, b_ih))
        inputs = (_flat(source), wi, _flat(_pack(w_hh, b_hh)), _flat(h0), flags)
        out = _fresh(m, n, l, k)
        for width, first, tiles in _groups(n):
            _run(_kernel("forward", width), inputs, _flat(out), (n, l, k, 0 if w_ih is None else f, first, tiles), m * tiles, threads)
        ctx.save_for_backward(source, h0, out, w_hh, *([mask] if mask is not None else []), *( [w_ih] if w_ih is not None else []))
        ctx.inputs = inputs; ctx.threads = threads; ctx.has = (mask is not None, w_ih is not None)
        return out

    @staticmethod
    def backward(ctx, d_out):
        source, h0, out, w_hh, *rest = ctx.saved_tensors
        w_ih = rest[-1] if ctx.has[1] else None
        m, n, l, k = out.shape
        f = 0 if w_ih is None else source.shape[-1]
        p, q = _pad(k), _pad(f)
        need_x = ctx.needs_input_grad[0]
        bi = EMPTY if w_ih is None else _flat(_pack_back(w_ih, [0, 1, 2]))
        inputs = (*ctx.inputs, _flat(out), _flat(d_out), bi, _flat(_pack_back(w_hh, [2, 0, 1])))
        d_source = _fresh(*source.shape) if need_x or f == 0 else _fresh(0)
        d_start = _fresh(m, n, k)
        wi = torch.zeros(m, 3 * p, q); ws = torch.zeros(m, 3 * p, p); b = torch.zeros(m, 4 * p)
        for width, first, tiles in _groups(n):
            pi = np.zeros((m, tiles, 3 * p, q), np.float32); ps = np.zeros((m, tiles, 3 * p, p), np.float32); pb = np.empty((m, tiles, 4 * p), np.float32)
            _run(_kernel("backward", width), inputs, (_flat(d_source), pi.reshape(-1), ps.reshape(-1), pb.reshape(-1), _flat(d_start)),
                 (n, l, k, f, first, tiles), m * tiles, ctx.threads)
            for i in range(tiles):
                wi += torch.from_numpy(pi[:, i]); ws += torch.from_numpy(ps[:, i]); b += torch.from_numpy(pb[:, i])
        dwi = wi.view(m, 3, p, q)[:, :, :k, :f].reshape(m, 3 * k, f) if f else None
        dws = ws.view(m, 3, p, p)[:, [1, 2, 0], :k, :k].reshape(m, 3 * k, k)
        b = b.view(m, 4, p)[:, :, :k]
        dbi = b[:, 1:].reshape(m, 3 * k) if f else None
        dbs = b[:, [1, 2, 0]].reshape(m, 3 * k)
        return d_source if need_x else None, dwi, dws, dbi, dbs, d_start, None, None

def gru_scan_numba(gates, w_hh, b_hh, h0, mask=None, threads=None):
    return _Scan.apply(gates, None, w_hh, None, b_hh, h0, mask, threads or torch.get_num_threads())

def gru_numba(x, w_ih, w_hh, b_ih, b_hh, h0, mask=None, threads=None):
    return _Scan.apply(x, w_ih, w_hh, b_ih, b_hh, h0, mask, threads or torch.get_num_threads())

def warm_up(hidden): ...
