# Finding and loading the shared library.

const LIBRARY_PATH = Ref("")

"""
    library_path()::String

The file of the loaded library.
"""
library_path() = LIBRARY_PATH[]

"""
    library_version()::VersionNumber

The version that the loaded library says it has.
"""
library_version() = VersionNumber(unsafe_string(API.rust_mmsb_version()))

"Where the library may be, best first: `MMSB_LIBRARY`, this checkout's build, the system."
function library_candidates()
    chosen = get(ENV, "MMSB_LIBRARY", "")
    isempty(chosen) || return [chosen]
    file = "libmmsb." * Libdl.dlext
    built = normpath(joinpath(@__DIR__, "..", "..", "target", "release", file))
    found = Libdl.find_library(["libmmsb", "libmmsb.so.0"])
    return filter(!isempty, [isfile(built) ? built : "", found])
end

"""
    load_library()

Loads the library and looks all its functions up, once per process.

`MMSB_LIBRARY` names the file; without it, `target/release` of this checkout and then the system's
libraries are asked. Errors say what was tried, and what to do.
"""
function load_library()
    candidates = library_candidates()
    isempty(candidates) && error(
        "MMSB: there is no libmmsb. Build it with `cargo build --release` in the project's " *
        "root, or set MMSB_LIBRARY to the file.")
    path = first(candidates)
    library = try
        Libdl.dlopen(path)
    catch problem
        reason = problem isa ErrorException ? problem.msg : sprint(showerror, problem)
        error("MMSB: the library $path cannot be loaded: $reason")
    end
    API.load!() do name
        address = Libdl.dlsym(library, name; throw_error=false)
        address === nothing && error(
            "MMSB: the library $path has no function $name: it is of another version than " *
            "this package. Build both from the same checkout.")
        address
    end
    LIBRARY_PATH[] = path
    return nothing
end
