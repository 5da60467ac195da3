# Who changes something, and why.

"""
A note as the library takes it, with the strings that its pointers name. `raw` is the first field:
a pointer to the object is a pointer to it.
"""
mutable struct Note
    raw::API.MmsbNote
    source::String
    intent::Union{Nothing,String}
end

const NO_NOTE = Note(API.MmsbNote(C_NULL, C_NULL), "", nothing)

"The note for `source` and `intent`; the one empty note if neither says anything."
@inline function note(source::AbstractString, intent::Union{Nothing,AbstractString})
    isempty(source) && intent === nothing && return NO_NOTE
    return full_note(source, intent)
end

@noinline function full_note(source, intent)
    source = terminated(source, "source")
    intent = intent === nothing ? nothing : terminated(intent, "intent")
    pointers = API.MmsbNote(pointer(source), intent === nothing ? C_NULL : pointer(intent))
    return Note(pointers, source, intent)
end

@inline address(x::Note) =
    x === NO_NOTE ? Ptr{API.MmsbNote}(C_NULL) : Ptr{API.MmsbNote}(pointer_from_objref(x))

"A string that may go to the library as zero-terminated: a `String` keeps a zero behind itself."
function terminated(text::AbstractString, name)
    text = String(text)
    '\0' in text && throw(InvalidArgumentError("$name $(repr(text)) has a zero byte in it"))
    return text
end
