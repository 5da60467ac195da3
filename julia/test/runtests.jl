# All tests: `julia --project=julia -t 2 julia/test/runtests.jl [file …]`, or run-tests.sh.
# The last line is `N passed, N failed`; the exit status is 0 if none failed.
using MMSB
using Test

include("helpers.jl")

const FILES = ["names", "interface", "errors", "states", "pages", "input", "metadata", "views",
               "allocators", "memory", "deltas", "batches", "macro", "log", "history", "progress",
               "checkpoints", "reverts", "transactions", "private", "graph", "events", "derived", "durable", "media",
               "tlog", "threads", "garbage", "costs", "snippets", "example"]

"(passed, failed) of a test set and all in it; what is broken or errs has failed."
function counted(set::Test.DefaultTestSet)
    passed, failed = set.n_passed, 0
    for result in set.results
        if result isa Test.DefaultTestSet
            more = counted(result)
            passed, failed = passed + more[1], failed + more[2]
        else
            failed += !(result isa Test.Pass)
        end
    end
    return passed, failed
end

function run_all(files)
    try
        set = @testset "MMSB" begin
            for file in files
                @testset "$file" begin
                    include(joinpath(@__DIR__, file * ".jl"))
                end
            end
        end
        return counted(set)
    catch problem
        problem isa Test.TestSetException || rethrow()
        return problem.pass, problem.fail + problem.error
    end
end

passed, failed = run_all(isempty(ARGS) ? FILES : ARGS)
println("$passed passed, $failed failed")
exit(failed == 0 ? 0 : 1)
