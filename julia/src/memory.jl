# Which Julia values are plain, contiguous memory, and where it begins.
#
# Nothing is ever copied or converted to make a value fit: what the library cannot read as it lies
# in memory is an error that says so.

function haspadding(T)
    isprimitivetype(T) && return false
    used = sum(Int[sizeof(fieldtype(T, i)) for i in 1:fieldcount(T)])
    return used != sizeof(T) || any(i -> haspadding(fieldtype(T, i)), 1:fieldcount(T))
end

"Whether the bytes of a `T` are all defined: no references, no padding. Free at run time."
@generated isplain(::Type{T}) where {T} = isbitstype(T) && !haspadding(T)

const Text = Union{String,SubString{String}}

"""
    memory(value)

The value, or what it wraps, as something that `address` and `bytecount` understand: arrays that
lie in memory without gaps (`Array`, contiguous views, `reinterpret`ed and page arrays) of plain
elements, strings, byte literals, and `Ref`s of plain values.

Errors: `InvalidArgumentError` for all else.
"""
@inline memory(x::Array{T}) where {T} = isplain(T) ? x : refuse_element(x)
@inline memory(x::Text) = x
@inline memory(x::Base.CodeUnits{UInt8,String}) = x.s
@inline memory(x::Base.RefValue{T}) where {T} = isplain(T) ? x : refuse_element(x)
function memory(x::StridedArray{T}) where {T}
    isplain(T) || refuse_element(x)
    return isgapless(x) ? x : refuse_gaps(x)
end
memory(x::AbstractArray) = refuse_gaps(x)
memory(x) = throw(InvalidArgumentError(
    "a $(typeof(x)) where bytes are wanted: an array, string or Ref of plain values"))

"Whether elements follow each other in memory; an axis of one element has no say."
function isgapless(x::StridedArray)
    step = 1
    for (count, stride) in zip(size(x), strides(x))
        count == 1 || stride == step || return false
        step *= count
    end
    return true
end

@noinline function refuse_element(x)
    T = eltype(x)
    why = isbitstype(T) ? "has padding bytes, whose content is undefined" :
          "is not plain bits"
    throw(InvalidArgumentError("a $(typeof(x)): its element type $T $why"))
end

@noinline refuse_gaps(x) = throw(InvalidArgumentError(
    "a $(typeof(x)) of size $(size(x)) does not lie in memory without gaps; copy it first"))

"Address of the first byte; the value must be kept alive with `GC.@preserve` while it is used."
@inline address(x::Text) = pointer(x)
@inline address(x::Base.RefValue{T}) where {T} = Ptr{UInt8}(Base.unsafe_convert(Ptr{T}, x))
@inline address(x::AbstractArray) = Ptr{UInt8}(pointer(x))

"Bytes of what `memory` returned."
@inline bytecount(x::Text) = sizeof(x)
@inline bytecount(x::Base.RefValue{T}) where {T} = sizeof(T)
@inline bytecount(x::AbstractArray{T}) where {T} = length(x) * sizeof(T)

"""
    writable(buffer)

As `memory`, for places that a read fills: arrays without gaps alone.
"""
@inline writable(x::Array) = memory(x)
writable(x::StridedArray) = memory(x)
writable(x) = throw(InvalidArgumentError(
    "a $(typeof(x)) where a buffer is wanted: an array of plain elements without gaps"))

"A page id as the library takes it."
@inline page_id(id::Integer) = 0 <= id <= typemax(Int) ? id % UInt64 : refuse_id(id)

@noinline refuse_id(id) = throw(PageNotFoundError(
    "page $id does not exist; ids lie in 1 to $(typemax(Int))"))

"A count, size, offset or LSN as the library takes it."
@inline natural(value::Integer, name) = within(value, 0, typemax(UInt64), name) % UInt64

"`value`, if it lies in a range; else a `kind` of error that names it and the range."
@inline function within(value::Real, lowest, highest, name, kind=InvalidArgumentError)
    lowest <= value <= highest || refuse_number(value, lowest, highest, name, kind)
    return value
end

@noinline refuse_number(value, lowest, highest, name, kind) = throw(kind(
    "$name is $value; it is at least $lowest and at most $highest"))

"`value` in a table of (name, number); the error lists the names."
function choice(value, table, what)
    for (name, number) in table
        name === value && return UInt32(number)
    end
    names = join((repr(name) for (name, _) in table), ", ", " and ")
    throw(InvalidArgumentError("$what is $(repr(value)); there are $names"))
end

"""
    filled(T, call)

The items that `call(buffer, capacity, len)` copies out, however many there are.
"""
function filled(call, ::Type{T}, guess = 32) where {T}
    buffer = Vector{T}(undef, guess)
    len = Ref{Csize_t}(0)
    while true
        status = call(buffer, length(buffer), len)
        if status == API.MMSB_STATUS_LENGTH_MISMATCH && len[] > length(buffer)
            resize!(buffer, len[])
            continue
        end
        check(status)
        return resize!(buffer, len[])
    end
end
