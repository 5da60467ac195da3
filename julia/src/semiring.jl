# Semirings by themselves: the ⊕ and ⊗ that formulas fold with.

const SEMIRINGS = [:real => 0, :counting => 1, :boolean => 2, :min_plus => 3, :max_plus => 4]

"""
    Semiring(name)

Two operations that formulas fold with (docs/formulas.md), over numbers of one's own: `:real`,
`:counting`, `:boolean`, `:min_plus` or `:max_plus`. [`semiring_add`](@ref), [`semiring_mul`](@ref),
[`fold_add`](@ref), [`fold_mul`](@ref) and [`accumulate_add`](@ref) take it first.

```julia
shortest = Semiring(:min_plus)
@assert semiring_add(shortest, 2, 3) == 2 && semiring_mul(shortest, 2, 3) == 5
@assert fold_add(shortest, [3.0, 1.0]) == 1 && fold_add(shortest, Float64[]) == Inf
```
"""
struct Semiring
    name::Symbol
    number::UInt32

    Semiring(name::Symbol) = new(name, choice(name, SEMIRINGS, "semiring"))
end

Base.show(io::IO, semiring::Semiring) = print(io, "Semiring(", repr(semiring.name), ")")

function computed(call)
    out = Ref{Float64}(0)
    check(call(out))
    return out[]
end

"""
    semiring_add(semiring, a, b)::Float64

`a` ⊕ `b`.
"""
semiring_add(semiring::Semiring, a::Real, b::Real) =
    computed(out -> API.rust_semiring_add(semiring.number, a, b, out))

"""
    semiring_mul(semiring, a, b)::Float64

`a` ⊗ `b`.
"""
semiring_mul(semiring::Semiring, a::Real, b::Real) =
    computed(out -> API.rust_semiring_mul(semiring.number, a, b, out))

numbers(values) = values isa Vector{Float64} ? values : collect(Float64, values)

"""
    fold_add(semiring, values)::Float64

⊕ over all values; what changes nothing under ⊕ over none.
"""
function fold_add(semiring::Semiring, values)
    list = numbers(values)
    GC.@preserve list computed() do out
        API.rust_semiring_fold_add(semiring.number, pointer(list), length(list), out)
    end
end

"""
    fold_mul(semiring, values)::Float64

⊗ over all values; what changes nothing under ⊗ over none.
"""
function fold_mul(semiring::Semiring, values)
    list = numbers(values)
    GC.@preserve list computed() do out
        API.rust_semiring_fold_mul(semiring.number, pointer(list), length(list), out)
    end
end

"""
    accumulate_add(semiring, total, values)::Float64

`total` ⊕ (⊕ over all values): goes on with a sum that was begun before.
"""
function accumulate_add(semiring::Semiring, total::Real, values)
    list = numbers(values)
    GC.@preserve list computed() do out
        API.rust_semiring_accumulate(semiring.number, total, pointer(list), length(list), out)
    end
end

"The shortest way: ⊕ is min, ⊗ is +. See [`Semiring`](@ref)."
const TROPICAL = Semiring(:min_plus)
"Whether there is a way: ⊕ is or, ⊗ is and. See [`Semiring`](@ref)."
const BOOLEAN = Semiring(:boolean)

"`fold_add` of [`TROPICAL`](@ref)."
tropical_fold_add(values) = fold_add(TROPICAL, values)
"`fold_mul` of [`TROPICAL`](@ref)."
tropical_fold_mul(values) = fold_mul(TROPICAL, values)
"`semiring_add` of [`TROPICAL`](@ref)."
tropical_accumulate(left::Real, right::Real) = semiring_add(TROPICAL, left, right)
"`fold_add` of [`BOOLEAN`](@ref), as a `Bool`."
boolean_fold_add(values) = fold_add(BOOLEAN, values) != 0
"`fold_mul` of [`BOOLEAN`](@ref), as a `Bool`."
boolean_fold_mul(values) = fold_mul(BOOLEAN, values) != 0
"`semiring_add` of [`BOOLEAN`](@ref), as a `Bool`."
boolean_accumulate(left, right) = semiring_add(BOOLEAN, left, right) != 0
