# What several test files use.

"Whether `call()` throws a `T` whose message has all `words` in it."
function throws(call, ::Type{T}, words...) where {T}
    try
        call()
    catch problem
        problem isa T || rethrow()
        text = sprint(showerror, problem)
        missing_words = filter(word -> !occursin(string(word), text), collect(words))
        isempty(missing_words) || error("`$text` does not say $(join(missing_words, ", "))")
        return true
    end
    error("nothing was thrown where a $T is wanted")
end

"Calls `use(state, id)` with a state in memory that has one page with this content."
function with_page(use, content)
    MMSBState() do state
        id = create_page(state; size=sizeof(content))
        update_page(state, id, content)
        use(state, id)
    end
end

"Calls `use(directory)` with a directory for a durable state."
with_directory(use) = mktempdir(directory -> use(joinpath(directory, "state")))

"A command that runs `code` in a Julia process with this package and this library."
function julia_command(code, arguments...; library=MMSB.library_path())
    project = dirname(@__DIR__)
    command = `$(Base.julia_cmd()) --startup-file=no --project=$project -e $code -- $arguments`
    return setenv(command, merge(Dict(ENV), Dict("MMSB_LIBRARY" => library)))
end
