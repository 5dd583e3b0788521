"""The three inner loops, with their sums in registers.

They are: a matrix times lanes, sums of outer products, and the transpose between rows (torch's
order) and lanes (the kernel's order). Each is a numba intrinsic that writes its LLVM code with the
register tile unrolled, so the compiler neither has to find the blocking nor can lose it. Arrays
are flat float32, steps count floats, and ``width`` is the number of lanes.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from fingru.kernels.cpu.lanes import (
    FLOAT,
    INT32,
    Generate,
    Kind,
    Typed,
    data_pointers,
    literal_intrinsic,
    load_lanes,
    multiply_add,
    splat,
    store_lanes,
)

INTP = ir.IntType(64)
BLOCK = 8  # rows of a register tile: 8 sums hide the latency of the multiply-add and fit AVX2
UNROLL = 4  # lanes per turn of the outer product's loop

Sums = list[ir.Value]


def _at(builder: ir.IRBuilder, pointer: ir.Value, offset: ir.Value) -> ir.Value:
    return builder.gep(pointer, [offset], inbounds=True)


def _loop(
    builder: ir.IRBuilder, count: ir.Value, start: Sums, body: Callable[[ir.Value, Sums], Sums]
) -> Sums:
    """Emit ``for i in range(count): sums = body(i, sums)`` with the sums in registers."""
    before, head = builder.block, builder.append_basic_block("head")
    inside, after = builder.append_basic_block("inside"), builder.append_basic_block("after")
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(INTP)
    carried = [builder.phi(value.type) for value in start]
    builder.cbranch(builder.icmp_signed("<", index, count), inside, after)
    builder.position_at_end(inside)
    updated = body(index, carried)
    index.add_incoming(INTP(0), before)
    index.add_incoming(builder.add(index, INTP(1)), builder.block)
    for phi, first, value in zip(carried, start, updated, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return carried


def _matrix_code(width: int, *, onto: bool) -> Generate:
    """Code of ``affine`` (the first row of weights is the bias) or ``accumulate`` (onto out)."""

    def generate(
        context: Kind, builder: ir.IRBuilder, signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        weights, inputs, out = data_pointers(context, builder, signature, values)
        places = [_at(builder, out, INTP(i * width)) for i in range(BLOCK)]
        if onto:
            start = [load_lanes(builder, place, width) for place in places]
        else:
            bias = [builder.load(_at(builder, weights, INTP(i))) for i in range(BLOCK)]
            start = [splat(builder, value, width) for value in bias]
            weights = _at(builder, weights, INTP(BLOCK))

        def multiply(k: ir.Value, sums: Sums) -> Sums:
            row = _at(builder, weights, builder.mul(k, INTP(BLOCK)))
            lanes = load_lanes(builder, _at(builder, inputs, builder.mul(k, INTP(width))), width)
            factors = [builder.load(_at(builder, row, INTP(i))) for i in range(BLOCK)]
            return [
                multiply_add(builder, splat(builder, factor, width), lanes, total)
                for factor, total in zip(factors, sums, strict=True)
            ]

        for total, place in zip(_loop(builder, values[2], start, multiply), places, strict=True):
            store_lanes(builder, total, place)
        return context.get_dummy_value()

    return generate


def _affine(
    _t: Kind, weights: Kind, inputs: Kind, _inner: Kind, out: Kind,
    width: Kind,
) -> Typed:  # fmt: skip
    """out[i, :] = weights[0, i] + sum over k of weights[1 + k, i] * inputs[k, :], 8 rows i."""
    signature = types.void(weights, inputs, types.intp, out, width)
    return signature, _matrix_code(width.literal_value, onto=False)


def _accumulate(
    _t: Kind, weights: Kind, inputs: Kind, _inner: Kind, out: Kind,
    width: Kind,
) -> Typed:  # fmt: skip
    """out[i, :] += sum over k of weights[k, i] * inputs[k, :], 8 rows i."""
    signature = types.void(weights, inputs, types.intp, out, width)
    return signature, _matrix_code(width.literal_value, onto=True)


def _outer_code(lanes: int, vectors: int) -> Generate:
    def generate(
        context: Kind, builder: ir.IRBuilder, signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        left, right, out = data_pointers(context, builder, signature, values)
        left_step, row_step = (builder.extract_value(values[4], i) for i in range(2))

        def turn(index: ir.Value, sums: Sums) -> Sums:
            t = builder.udiv(index, INTP(lanes // UNROLL))
            lane = builder.mul(builder.urem(index, INTP(lanes // UNROLL)), INTP(UNROLL))
            here = _at(builder, left, builder.add(builder.mul(t, left_step), lane))
            line = _at(builder, right, builder.mul(builder.mul(index, INTP(UNROLL)), row_step))
            for part in range(UNROLL):
                row = _at(builder, line, builder.mul(row_step, INTP(part)))
                sums = add_products(_at(builder, here, INTP(part)), row, sums)
            return sums

        def add_products(factors: ir.Value, row: ir.Value, sums: Sums) -> Sums:
            columns = [
                load_lanes(builder, _at(builder, row, INTP(8 * v)), 8) for v in range(vectors)
            ]
            scalars = [builder.load(_at(builder, factors, INTP(i * lanes))) for i in range(BLOCK)]
            return [
                multiply_add(
                    builder, splat(builder, scalars[i], 8), columns[v], sums[i * vectors + v]
                )
                for i in range(BLOCK)
                for v in range(vectors)
            ]

        zero = ir.Constant(ir.VectorType(FLOAT, 8), [0.0] * 8)
        turns = builder.mul(values[3], INTP(lanes // UNROLL))
        sums = _loop(builder, turns, [zero] * (BLOCK * vectors), turn)
        for i in range(BLOCK):
            line = _at(builder, out, builder.mul(row_step, INTP(i)))
            for v in range(vectors):
                place = _at(builder, line, INTP(8 * v))
                total = builder.fadd(load_lanes(builder, place, 8), sums[i * vectors + v])
                store_lanes(builder, total, place)
        return context.get_dummy_value()

    return generate


def _outer(
    _t: Kind, left: Kind, right: Kind, out: Kind, _bars: Kind,
    geometry: Kind,
) -> Typed:  # fmt: skip
    """out[i, :] += sum over bars t and lanes l of left[t, i, l] * right[t, l, :], 8 rows i.

    ``geometry`` = (step of left per bar, step of a row of right and of out, lanes, vectors of 8
    columns); the last two must be constants.
    """
    lanes, vectors = (part.literal_value for part in geometry.types[2:])
    signature = types.void(left, right, out, types.intp, geometry)
    return signature, _outer_code(lanes, vectors)


def _transpose_code(n: int) -> Generate:
    """Swap ever larger off-diagonal blocks: log2(n) stages of shuffles."""
    kind = ir.VectorType(INT32, n)

    def swapped(builder: ir.IRBuilder, rows: Sums, half: int) -> Sums:
        upper = ir.Constant(kind, [n + i - half if i & half else i for i in range(n)])
        lower = ir.Constant(kind, [n + i if i & half else i + half for i in range(n)])
        return [
            builder.shuffle_vector(rows[i - half], rows[i], lower)
            if i & half
            else builder.shuffle_vector(rows[i], rows[i + half], upper)
            for i in range(n)
        ]

    def generate(
        context: Kind, builder: ir.IRBuilder, signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        source, target = data_pointers(context, builder, signature, values)
        offsets = [builder.mul(values[1], INTP(i)) for i in range(n)]
        rows = [load_lanes(builder, _at(builder, source, offset), n) for offset in offsets]
        for stage in range(n.bit_length() - 1):
            rows = swapped(builder, rows, 1 << stage)
        for i, row in enumerate(rows):
            store_lanes(builder, row, _at(builder, target, builder.mul(values[3], INTP(i))))
        return context.get_dummy_value()

    return generate


def _transpose(
    _t: Kind, source: Kind, _source_step: Kind, target: Kind,
    _target_step: Kind,
) -> Typed:  # fmt: skip
    """target[j, i] = source[i, j] for a block of 8 x 8."""
    return types.void(source, types.intp, target, types.intp), _transpose_code(8)


affine = literal_intrinsic(_affine)
accumulate = literal_intrinsic(_accumulate)
outer = literal_intrinsic(_outer)
transpose = literal_intrinsic(_transpose)
