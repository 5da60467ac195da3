# Every example that somebody may copy runs.

const ROOT = normpath(joinpath(@__DIR__, "..", ".."))

"The ```julia blocks of a file."
blocks(path) = [String(m[1]) for m in eachmatch(r"^```julia\n(.*?)^```"ms, read(path, String))]

"Runs code in a module of its own, in an empty directory."
function runs(code, name)
    space = Core.eval(Main, Expr(:module, true, gensym(:snippet), Expr(:block)))
    Core.eval(space, :(using MMSB))
    mktempdir() do directory
        cd(directory) do
            open(joinpath(directory, "output"), "w") do io
                redirect_stdout(() -> Base.include_string(space, code, name), io)
            end
        end
    end
    return true
end

@testset "docstrings" begin
    source = joinpath(@__DIR__, "..", "src")
    for file in readdir(source), (n, code) in enumerate(blocks(joinpath(source, file)))
        @test runs(code, "$file, example $n")
    end
end

# A guide is read from top to bottom: later blocks use what earlier ones made.
@testset "docs/julia.md" begin
    guide = joinpath(ROOT, "docs", "julia.md")
    @test length(blocks(guide)) > 5
    @test runs(join(blocks(guide), "\n"), "docs/julia.md")
end

@testset "README.md" begin
    readme = joinpath(ROOT, "README.md")
    if isfile(readme)
        for (n, code) in enumerate(blocks(readme))
            @test runs(code, "README.md, example $n")
        end
    end
end
