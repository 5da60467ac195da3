# Writes src/api.jl from include/mmsb.h:
#
#     julia gen/generate.jl [header [output]]
#
# The header is itself generated, so its form is regular: a comment, then one declaration. What
# this reader does not know is an error, never skipped: a declaration cannot get lost silently.
# test/interface.jl runs `Generate.api` and compares the result with the file.
module Generate

"One field or parameter: `c` is its C type without the name, `julia` the type that stands for it."
struct Variable
    name::String
    julia::String
    doc::String
end

"One `typedef struct`."
struct Struct
    name::String
    doc::String
    fields::Vector{Variable}
end

"One enum: `items` are (name, value, doc)."
struct Enumeration
    name::String
    doc::String
    items::Vector{Tuple{String,String,String}}
end

"One function."
struct Func
    name::String
    doc::String
    returns::String
    parameters::Vector{Variable}
end

"One `typedef` of a function pointer."
struct Callback
    name::String
    doc::String
end

const SCALARS = Dict(
    "bool" => "Bool",
    "char" => "UInt8",
    "uint8_t" => "UInt8",
    "int32_t" => "Int32",
    "int64_t" => "Int64",
    "uint32_t" => "UInt32",
    "uint64_t" => "UInt64",
    "size_t" => "Csize_t",
    "double" => "Float64",
    "void" => "Cvoid",
    "MmsbStatus" => "Int32",
    # An enum's storage, as C gives it to a field; values come from the matching @enum.
    "MmsbChangeKind" => "UInt32",
    "MmsbProgress" => "Ptr{Cvoid}",
    "MmsbBody" => "Ptr{Cvoid}",
)

function scalar(name)
    haskey(SCALARS, name) && return SCALARS[name]
    startswith(name, "Mmsb") && return String(name)
    error("generate.jl does not know the C type `$name`")
end

"`const uint8_t *bytes`, `char name[65]`, `uint8_t (*out)[32]` → a `Variable`."
function variable(text, doc = "")
    text = strip(replace(text, r"\s+" => " "))
    m = match(r"^(\w+) \(\*(\w+)\)\[(\d+)\]$", text)
    m === nothing || return Variable(m[2], "Ptr{NTuple{$(m[3]),$(scalar(m[1]))}}", doc)
    m = match(r"^(\w+) (\w+)\[(\d+)\]$", text)
    m === nothing || return Variable(m[2], "NTuple{$(m[3]),$(scalar(m[1]))}", doc)
    m = match(r"^(?:const )?(\w+) ?(\**)(\w+)$", text)
    m === nothing && error("generate.jl cannot read `$text`")
    kind = scalar(m[1])
    for _ in m[2]
        kind = "Ptr{$kind}"
    end
    return Variable(m[3], kind, doc)
end

"The text of a `/** */` comment, without stars."
function comment(text)
    lines = [replace(line, r"^\s*\*? ?" => "") for line in split(text, '\n')]
    return String(strip(join(lines, '\n')))
end

const DOC = raw"/\*\*(.*?)\*/\s*"

"(doc, declaration) for each member of a struct or enum body."
members(body, stop) =
    [(comment(m[1]), String(strip(m[2])))
     for m in eachmatch(Regex(DOC * "([^$stop]*)[$stop]", "s"), body)]

function enumeration(name, doc, body)
    items = Tuple{String,String,String}[]
    for (item_doc, text) in members(body, ",")
        m = match(r"^(\w+) = (\d+)$", text)
        m === nothing && error("generate.jl cannot read the item `$text` of $name")
        push!(items, (m[1], m[2], item_doc))
    end
    return Enumeration(name, doc, items)
end

structure(name, doc, body) =
    Struct(name, doc, [variable(text, field_doc) for (field_doc, text) in members(body, ";")])

function func(doc, returns, name, parameters)
    list = strip(parameters) == "void" ? [] : split(parameters, ',')
    kind = variable(returns * "_").julia
    return Func(name, doc, kind, [variable(text) for text in list])
end

const DECLARATIONS = [
    (r"^enum (\w+)\n(?:#[^\n]*\n[^\n]*\n#[^\n]*\n)?\s*\{(.*?)\n\};"s,
     (doc, m) -> enumeration(m[1], doc, m[2])),
    (r"^typedef enum \{(.*?)\n\} (\w+);"s, (doc, m) -> enumeration(m[2], doc, m[1])),
    (r"^typedef struct \{(.*?)\n\} (\w+);"s, (doc, m) -> structure(m[2], doc, m[1])),
    (r"^typedef \w+ \(\*(\w+)\)\([^)]*\);"s, (doc, m) -> Callback(m[1], doc)),
    (r"^((?:const )?\w+ \*?)(rust_\w+)\(([^;]*)\);"s,
     (doc, m) -> func(doc, m[1], m[2], m[3])),
]

"All declarations of a header, in its order."
function declarations(header)
    found = Any[]
    # A comment that documents a declaration begins in the first column.
    for m in eachmatch(r"^/\*\*(.*?)\*/\n"ms, header)
        rest = SubString(header, m.offset + ncodeunits(m.match))
        declaration = nothing
        for (pattern, make) in DECLARATIONS
            hit = match(pattern, rest)
            hit === nothing || (declaration = make(comment(m[1]), hit); break)
        end
        declaration === nothing && error("generate.jl cannot read: $(first(rest, 80))")
        push!(found, declaration)
    end
    exported = Set(m[1] for m in eachmatch(r"\b(rust_\w+)\(", replace(header, r"/\*.*?\*/"s => "")))
    named = Set(item.name for item in found if item isa Func)
    exported == named || error("generate.jl missed $(join(symdiff(exported, named), ", "))")
    return found
end

escaped(text) = replace(replace(replace(text, "\\" => "\\\\"), "\"" => "\\\""), "\$" => "\\\$")

function docstring(io, head, doc)
    println(io, "\"\"\"")
    isempty(head) || println(io, "    ", head, "\n")
    println(io, escaped(doc))
    println(io, "\"\"\"")
end

function emit(io, item::Enumeration)
    if item.name == "MmsbStatus"
        docstring(io, "", item.doc)
        println(io, "const MmsbStatus = Int32\n")
        println(io, "\"The table of statuses: (number, name in the header, meaning), ascending.\"")
        println(io, "const STATUSES = (")
        for (name, value, doc) in item.items
            short = replace(name, "MMSB_STATUS_" => "")
            println(io, "    (Int32($value), :$short, \"$(escaped(replace(doc, '\n' => ' ')))\"),")
        end
        println(io, ")\n")
        for (name, value, _) in item.items
            println(io, "const $name = Int32($value)")
        end
    else
        lines = ["- `$name`: $(replace(doc, '\n' => ' '))" for (name, _, doc) in item.items]
        docstring(io, "", item.doc * "\n\n" * join(lines, '\n'))
        println(io, "@enum $(item.name)::UInt32 begin")
        for (name, value, _) in item.items
            println(io, "    $name = $value")
        end
        println(io, "end")
    end
    println(io)
end

function emit(io, item::Struct)
    docstring(io, "", item.doc)
    println(io, "struct $(item.name)")
    for field in item.fields
        println(io, "    \"$(escaped(field.doc))\"")
        println(io, "    $(field.name)::$(field.julia)")
    end
    println(io, "end\n")
end

function emit(io, item::Callback)
    docstring(io, "", item.doc)
    println(io, "const $(item.name) = Ptr{Cvoid}\n")
end

function emit(io, item::Func)
    names = [p.name for p in item.parameters]
    typed = join(("$(p.name)::$(p.julia)" for p in item.parameters), ", ")
    kinds = [p.julia for p in item.parameters]
    tuple = isempty(kinds) ? "()" : "(" * join(kinds, ", ") * ",)"
    docstring(io, "$(item.name)($typed)::$(item.returns)", item.doc)
    arguments = join([""; names], ", ")
    call = "ccall(FUNCTIONS.$(item.name), $(item.returns), $tuple$arguments)"
    if item.returns != "Int32"
        println(io, "@inline $(item.name)($(join(names, ", "))) =\n    $call\n")
        return
    end
    println(io, "@inline function $(item.name)($(join(names, ", ")))")
    println(io, "    while true")
    println(io, "        status = $call")
    println(io, "        status == MMSB_STATUS_BUSY || return status")
    println(io, "        let_others_on()\n    end\nend\n")
end

const HEAD = """
# Generated from include/mmsb.h by gen/generate.jl; do not edit.

\"\"\"
The C interface, one to one: structs, enums, statuses and calls under their C names.

Calls return a status and write results through pointers; `Ref`s and arrays may be passed where
a `Ptr` stands. Nothing here checks, frees or throws: that is what the rest of MMSB is for. A call that
would wait for another thread's callback is made again, after the collector and other tasks had their
turn.
\"\"\"
module API

function let_others_on()
    GC.safepoint()
    yield()
end

"""

"Addresses of all functions: looked up once, so that a call costs one load more than a direct one."
function emit_table(io, functions)
    println(io, "\"Addresses of the library's functions; null until `load!`.\"")
    println(io, "mutable struct Functions")
    foreach(f -> println(io, "    $(f.name)::Ptr{Cvoid}"), functions)
    println(io, "    Functions() = new($(join(fill("C_NULL", length(functions)), ", ")))")
    println(io, "end\n")
    println(io, "const FUNCTIONS = Functions()\n")
    println(io, """
    \"\"\"
        load!(lookup)

    Fills the table; `lookup(name::Symbol)` gives an address.
    \"\"\"
    function load!(lookup)
        for name in fieldnames(Functions)
            setfield!(FUNCTIONS, name, convert(Ptr{Cvoid}, lookup(name)))
        end
    end
    """)
end

"The text of src/api.jl for the text of a header."
function api(header::AbstractString)
    found = declarations(header)
    functions = [item for item in found if item isa Func]
    structs = [item.name for item in found if item isa Struct]
    io = IOBuffer()
    print(io, HEAD)
    foreach(item -> emit(io, item), item for item in found if !(item isa Func))
    println(io, "\"All structs that cross the boundary.\"")
    println(io, "const STRUCTS = (", join(structs, ", "), ")\n")
    emit_table(io, functions)
    foreach(item -> emit(io, item), functions)
    println(io, "end # module API")
    return String(take!(io))
end

end # module Generate

if abspath(PROGRAM_FILE) == @__FILE__
    here = @__DIR__
    header = length(ARGS) >= 1 ? ARGS[1] : joinpath(here, "..", "..", "include", "mmsb.h")
    output = length(ARGS) >= 2 ? ARGS[2] : joinpath(here, "..", "src", "api.jl")
    write(output, Generate.api(read(header, String)))
end
