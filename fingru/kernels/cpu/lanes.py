"""A vector of float32 lanes as a value inside numba functions.

Whether a loop is vectorised is LLVM's guess; the recurrence needs certainty. ``load(array, i, w)``
gives a ``Lanes(w)`` value that lives in vector registers (one AVX-512 register for w = 16, one AVX
register for w = 8), and ``+ - * /`` and the functions below compile to a few vector instructions.
Where the processor has shorter registers LLVM splits the value, so any processor will do.

NaN passes through every function, so that a model that diverged shows it; nothing is reordered, so
that equal inputs give equal bits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core.errors import ForceLiteralArg
from numba.extending import intrinsic, models, overload, register_model

FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
CONTRACT = ("contract",)  # the one freedom LLVM gets: a * b + c may be rounded once

Kind = Any  # a numba type or signature, or a compilation context: numba leaves them untyped
Generate = Callable[[Kind, ir.IRBuilder, Kind, list[ir.Value]], ir.Value]
Function = TypeVar("Function", bound=Callable[..., object])
Typed = tuple[Kind, Generate]  # what numba asks of an intrinsic: its signature and its code


class Lanes(types.Type):
    """The numba type of ``width`` float32 lanes."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes({width})")

    if TYPE_CHECKING:  # what compiled code may do with such a value

        def __add__(self, other: Lanes) -> Lanes: ...
        def __sub__(self, other: Lanes) -> Lanes: ...
        def __mul__(self, other: Lanes) -> Lanes: ...
        def __truediv__(self, other: Lanes) -> Lanes: ...


def _vector_model(manager: Kind, lanes: Lanes) -> Kind:
    vector = ir.VectorType(FLOAT, lanes.width)
    return models.PrimitiveModel(manager, lanes, vector)  # type: ignore[no-untyped-call]


register_model(Lanes)(_vector_model)


# Pieces of LLVM code, also used by the microkernels.


def splat(builder: ir.IRBuilder, scalar: ir.Value, width: int) -> ir.Value:
    """Repeat one scalar in every lane."""
    undefined = ir.Constant(ir.VectorType(scalar.type, width), ir.Undefined)
    first = builder.insert_element(undefined, scalar, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, width), [0] * width)
    return builder.shuffle_vector(first, undefined, zeros)


def load_lanes(builder: ir.IRBuilder, pointer: ir.Value, width: int) -> ir.Value:
    """Read ``width`` consecutive floats, aligned or not."""
    kind = ir.VectorType(FLOAT, width).as_pointer()
    return builder.load(builder.bitcast(pointer, kind), align=4)


def store_lanes(builder: ir.IRBuilder, lanes: ir.Value, pointer: ir.Value) -> None:
    """Write lanes to consecutive floats, aligned or not."""
    builder.store(lanes, builder.bitcast(pointer, lanes.type.as_pointer()), align=4)


def multiply_add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """Round a * b + c once."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fma.v{a.type.count}f32"
    return builder.call(builder.module.declare_intrinsic(name, fnty=kind), [a, b, c])


def data_pointers(
    context: Kind, builder: ir.IRBuilder, signature: Kind, values: list[ir.Value]
) -> list[ir.Value]:
    """Data pointers of those arguments that are arrays, in order."""
    return [
        context.make_array(kind)(context, builder, value).data
        for kind, value in zip(signature.args, values, strict=True)
        if isinstance(kind, types.Array)
    ]


# Functions of numba code.


def compiled_inside(function: Function) -> Function:
    """Mark a function that is called from compiled code only, and becomes part of it."""
    inner: Function = njit(function)
    return inner


def literal_intrinsic(typed: Callable[..., Typed]) -> Callable[..., Any]:
    """Make an intrinsic that sees constants as such; called from compiled code only."""
    compiled: Callable[..., Any] = intrinsic(prefer_literal=True)(typed)
    return compiled


def _width_of(argument: Kind, position: int) -> Lanes:
    """The Lanes type for an argument that must be a constant where the code is compiled."""
    if not isinstance(argument, types.Literal):
        raise ForceLiteralArg({position})
    return Lanes(argument.literal_value)


def _load(_typing: Kind, array: Kind, _index: Kind, width: Kind) -> Typed:
    lanes = _width_of(width, 2)

    def generate(
        context: Kind, builder: ir.IRBuilder, signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        (start,) = data_pointers(context, builder, signature, values)
        return load_lanes(builder, builder.gep(start, [values[1]], inbounds=True), lanes.width)

    return lanes(array, types.intp, width), generate


def _store(_typing: Kind, lanes: Kind, array: Kind, _index: Kind) -> Typed:
    def generate(
        context: Kind, builder: ir.IRBuilder, signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        (start,) = data_pointers(context, builder, signature, values)
        store_lanes(builder, values[0], builder.gep(start, [values[2]], inbounds=True))
        return context.get_dummy_value()

    return types.void(lanes, array, types.intp), generate


def _prefetch(_typing: Kind, array: Kind, _index: Kind) -> Typed:
    def generate(
        context: Kind, builder: ir.IRBuilder, signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        (start,) = data_pointers(context, builder, signature, values)
        byte = builder.bitcast(builder.gep(start, [values[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [byte.type, INT32, INT32, INT32])
        function = builder.module.declare_intrinsic("llvm.prefetch.p0", fnty=kind)
        builder.call(function, [byte, INT32(0), INT32(2), INT32(1)])  # read, keep in L2, data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _full(_typing: Kind, _number: Kind, width: Kind) -> Typed:
    lanes = _width_of(width, 1)

    def generate(
        _context: Kind, builder: ir.IRBuilder, _signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        return splat(builder, values[0], lanes.width)

    return lanes(types.float32, width), generate


def _elementwise(emit: Callable[..., ir.Value], n_arguments: int) -> Callable[..., Lanes]:
    """Intrinsic of ``n_arguments`` Lanes of one width with the code ``emit(builder, *values)``."""

    def generate(
        _context: Kind, builder: ir.IRBuilder, _signature: Kind, values: list[ir.Value]
    ) -> ir.Value:
        return emit(builder, *values)

    def unary(_typing: Kind, a: Kind) -> Typed:
        return a(a), generate

    def binary(_typing: Kind, a: Kind, _b: Kind) -> Typed:
        return a(a, a), generate

    def ternary(_typing: Kind, a: Kind, _b: Kind, _c: Kind) -> Typed:
        return a(a, a, a), generate

    return literal_intrinsic((unary, binary, ternary)[n_arguments - 1])


def _clip(builder: ir.IRBuilder, x: ir.Value, low: ir.Value, high: ir.Value) -> ir.Value:
    # A comparison with NaN is false and keeps x.
    x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
    return builder.select(builder.fcmp_ordered("<", x, low), low, x)


def _power_of_two(builder: ir.IRBuilder, shifted: ir.Value) -> ir.Value:
    # shifted = 1.5 * 2**23 + 127 + i ends in the bits of 127 + i, the exponent field of 2**i.
    whole = ir.VectorType(INT32, shifted.type.count)
    places = ir.Constant(whole, [23] * whole.count)
    return builder.bitcast(builder.shl(builder.bitcast(shifted, whole), places), shifted.type)


def _where(builder: ir.IRBuilder, flag: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    zero = ir.Constant(flag.type, [0.0] * flag.type.count)
    return builder.select(builder.fcmp_ordered("!=", flag, zero), a, b)


load = literal_intrinsic(_load)
store = literal_intrinsic(_store)
prefetch = literal_intrinsic(_prefetch)
full = literal_intrinsic(_full)
fma = _elementwise(multiply_add, 3)
clip = _elementwise(_clip, 3)
where = _elementwise(_where, 3)
power_of_two = _elementwise(_power_of_two, 1)
add = _elementwise(lambda builder, a, b: builder.fadd(a, b, flags=CONTRACT), 2)
subtract = _elementwise(lambda builder, a, b: builder.fsub(a, b, flags=CONTRACT), 2)
multiply = _elementwise(lambda builder, a, b: builder.fmul(a, b, flags=CONTRACT), 2)
divide = _elementwise(lambda builder, a, b: builder.fdiv(a, b), 2)


def _for_lanes(function: Callable[..., Lanes]) -> Callable[..., Callable[..., Lanes] | None]:
    def choose(a: Kind, b: Kind) -> Callable[..., Lanes] | None:
        if isinstance(a, Lanes) and a == b:
            return lambda a, b: function(a, b)
        return None

    return choose


for _symbol, _function in (
    (operator.add, add),
    (operator.sub, subtract),
    (operator.mul, multiply),
    (operator.truediv, divide),
):
    overload(_symbol, strict=False)(_for_lanes(_function))
