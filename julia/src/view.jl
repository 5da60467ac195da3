# Views: a page's content as a Julia array, without a copy.

"""
What keeps a page's content in place: all arrays over it share one, and the last of them gives it
back. It has no finalizer of its own: compiled code that reads an array keeps the array alive, but
not what stands beside it.
"""
mutable struct Pin <: Handle
    handle::API.MmsbView
    "Arrays that are not finalized."
    arrays::Threads.Atomic{Int}

    Pin(handle::API.MmsbView) = new(handle, Threads.Atomic{Int}(0))
end

free(::Pin, ref) = API.rust_view_free(ref)
noun(::Pin) = "view"

"""
    PageArray{T,N} <: AbstractArray{T,N}

A page's content as it was when the array was made, as plain values of type `T`, without a copy.
It never changes: writers that go on write another copy of the page. It stays valid when the page
or the state is gone, until `close(array)` or until nobody refers to it. Writing to it throws
`ReadOnlyError`; `Array(array)` is a copy to write to. Made by [`page_view`](@ref) and
[`page_array`](@ref).

After `close` the arrays over the same view throw `ClosedError`; do not close a view that another
task still reads, nor read one in an `@inbounds` loop after its `close`.
"""
struct PageArray{T,N} <: AbstractArray{T,N}
    pin::Pin
    "An ordinary array over the page's memory: compiled loops treat it as well as any other."
    array::Array{T,N}

    function PageArray(pin::Pin, data::Ptr{T}, dims::NTuple{N,Int}) where {T,N}
        array = unsafe_wrap(Array, data, dims)
        Threads.atomic_add!(pin.arrays, 1)
        finalizer(Unpin(pin), memory_of(array))
        return new{T,N}(pin, array)
    end
end

"The finalizer of an array over a page."
struct Unpin
    pin::Pin
end

(unpin::Unpin)(_) =
    (Threads.atomic_sub!(unpin.pin.arrays, 1) == 1 && release(unpin.pin); nothing)

# The object whose life is that of an array's bytes: since Julia 1.11 one of its own, which all
# empty arrays of a type may share.
@static if VERSION >= v"1.11-"
    memory_of(array::Array) = isempty(array) ? array : array.ref.mem
else
    memory_of(array::Array) = array
end

"""
    PageView

[`PageArray`](@ref) of bytes in one dimension, as [`page_view`](@ref) makes it.
"""
const PageView = PageArray{UInt8,1}

"""
    page_view(state, id)::PageView
    page_view(use, state, id)

A page's bytes without a copy; the second form calls `use(view)`, closes the view whatever happens
and returns what `use` returned. `state` may be a [`PageAllocator`](@ref) as well.

Errors: `PageNotFoundError`, `PageFreedError`, `CorruptError`.

Cost: about 0.3 µs, whatever the size. While a view is there, the first write to its page copies
the page.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    view = page_view(state, id)
    update_page(state, id, b"abcd")
    @assert view == [0, 0, 0, 0]
end
```
"""
page_view(owner::PageOwner, id::Integer) =
    pinned((pin, data, len) -> PageArray(pin, data, (len,)), owner, id)

"`make(pin, data, len)`, where `len` bytes at `data` are the page's content as of now."
function pinned(make, owner::PageOwner, id::Integer)
    data, len = Ref(Ptr{UInt8}(C_NULL)), Ref{Csize_t}(0)
    handle = GC.@preserve owner begin
        page = page_of(owner, id)
        obtain(out -> API.rust_page_view(page, out, data, len), API.MmsbView)
    end
    pin = Pin(handle)
    try
        return make(pin, data[], Int(len[]))
    catch
        close(pin)
        rethrow()
    end
end

page_view(use, owner::PageOwner, id::Integer) = closing(use, page_view(owner, id))

"""
    page_array(state, id, T, dims=nothing; offset=0)::PageArray{T}
    page_array(view, T, dims=nothing; offset=0)::PageArray{T}
    page_array(use, state, id, T, dims=nothing; offset=0)

A page's content from `offset` on as plain values of type `T` in the shape `dims` (an `Int` or a
tuple, first index fastest), without a copy; without `dims` as a vector of all that follows. From a
view: an array over the same content. With `use`: calls `use(array)` and closes the array.

Errors: `InvalidArgumentError` (`T` is not plain, `offset` is not aligned for `T`, a dimension is
negative), `RangeOutOfBoundsError` (the page is too short), `LengthMismatchError` (no whole number
of `T`), and those of [`page_view`](@ref).

```julia
MMSBState() do state
    id = create_page(state; size=48)
    update_page(state, id, [1.0 3.0 5.0; 2.0 4.0 6.0])
    page_array(state, id, Float64, (2, 3)) do matrix
        @assert matrix[2, 3] == 6.0 && sum(matrix) == 21.0
    end
end
```
"""
page_array(owner::PageOwner, id::Integer, ::Type{T}, dims=nothing; offset::Integer=0) where {T} =
    pinned((pin, data, len) -> typed(pin, data, len, T, dims, offset), owner, id)

function page_array(view::PageView, ::Type{T}, dims=nothing; offset::Integer=0) where {T}
    bytes = view.array
    GC.@preserve bytes return typed(view.pin, pointer(view), length(view), T, dims, offset)
end

page_array(use, owner::PageOwner, id::Integer, ::Type{T}, dims=nothing;
           offset::Integer=0) where {T} =
    closing(use, page_array(owner, id, T, dims; offset=offset))

function typed(pin::Pin, data, len, ::Type{T}, dims, offset) where {T}
    start = check_offset(T, offset, len)
    shape = dims === nothing ? (element_count(T, len - start),) :
            check_dims(T, dims, len - start)
    return PageArray(pin, Ptr{T}(data + start), shape)
end

function check_offset(::Type{T}, offset, size) where {T}
    element_count(T, 0)
    0 <= offset <= size || throw(RangeOutOfBoundsError(
        "an array from offset $offset on; the page has $size bytes"))
    offset % Base.datatype_alignment(T) == 0 || throw(InvalidArgumentError(
        "offset $offset is not aligned for $T: not a multiple of $(Base.datatype_alignment(T))"))
    return Int(offset)
end

check_dims(T, dims::Integer, rest) = check_dims(T, (dims,), rest)
function check_dims(::Type{T}, dims::Tuple{Vararg{Integer}}, rest) where {T}
    all(>=(0), dims) || throw(InvalidArgumentError("dimensions $dims; none may be negative"))
    # In big numbers: a product must not wrap around into one that fits.
    needed = prod(big.(dims)) * sizeof(T)
    needed <= rest || throw(RangeOutOfBoundsError(
        "$T in the shape $dims takes $needed bytes; the page has $rest from there on"))
    return map(Int, dims)
end
check_dims(T, dims, rest) = throw(InvalidArgumentError(
    "dims is $(repr(dims)); it is an integer or a tuple of integers"))

Base.isopen(a::PageArray) = isopen(a.pin)
Base.close(a::PageArray) = close(a.pin)

function page_epoch(a::PageArray)
    pin, out = a.pin, Ref{UInt64}(0)
    GC.@preserve pin check(API.rust_view_epoch(raw(pin), out))
    return out[] % Int
end

# `size` notices a closed view, so everything that looks at bounds does.
@inline Base.size(a::PageArray) = (raw(a.pin); size(a.array))
Base.IndexStyle(::Type{<:PageArray}) = IndexLinear()

@inline function Base.getindex(a::PageArray, i::Int)
    @boundscheck checkbounds(a, i)
    return @inbounds a.array[i]
end

Base.setindex!(a::PageArray, value, i::Int) = throw(ReadOnlyError(
    "a page's content cannot be written through a view; use update_page or write_page!"))

# For ccalls that read: `strides` and a pointer, but not `DenseArray`, whose methods also write.
Base.strides(a::PageArray) = (raw(a.pin); strides(a.array))
Base.elsize(::Type{PageArray{T,N}}) where {T,N} = sizeof(T)
Base.unsafe_convert(::Type{Ptr{T}}, a::PageArray{T}) where {T} = (raw(a.pin); pointer(a.array))

memory(a::PageArray{T}) where {T} = isplain(T) ? a : refuse_element(a)

# One copy of memory instead of a loop.
Base.copyto!(to::Array{T}, from::PageArray{T}) where {T} = (raw(from.pin); copyto!(to, from.array))
Base.collect(a::PageArray) = Array(a)

Base.show(io::IO, a::PageArray) =
    isopen(a) ? invoke(show, Tuple{IO,AbstractArray}, io, a) : print(io, summary_closed(a))
Base.show(io::IO, mime::MIME"text/plain", a::PageArray) =
    isopen(a) ? invoke(show, Tuple{IO,MIME"text/plain",AbstractArray}, io, mime, a) :
    print(io, summary_closed(a))
summary_closed(a) = "$(typeof(a)) (closed)"
