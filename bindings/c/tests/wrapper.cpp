// The C++ wrapper: owners that move and free, exceptions with their kinds, every type once.
//
// `wrapper global directory` runs the program as one whose state is a global, which C++ destroys
// after main and after the main thread's own storage.

#include <mmsb.hpp>

#include "check.h"

#include <cstdlib>
#include <numeric>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

// What moves must not throw while it does, and must not be copied.
template <class T> constexpr bool move_only() {
    return std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
           !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
}
static_assert(move_only<mmsb::State>() && move_only<mmsb::Batch>() && move_only<mmsb::Delta>());
static_assert(move_only<mmsb::View>() && move_only<mmsb::Snapshot>() && move_only<mmsb::Reader>());
static_assert(move_only<mmsb::Allocator>() && move_only<mmsb::Block>());
static_assert(move_only<mmsb::TLog>() && move_only<mmsb::Transaction>());
static_assert(move_only<mmsb::Events>() && move_only<mmsb::Partition>() && move_only<mmsb::Executor>());
static_assert(std::is_trivially_copyable_v<mmsb::Page> && sizeof(mmsb::Page) == 16);

namespace {

const char *self;

template <class Call> void throws(MmsbStatus kind, const char *word, Call call) {
    try {
        call();
        CHECK(!"the call throws");
    } catch (const mmsb::Error &error) {
        EQ(error.kind(), kind);
        if (std::strstr(error.what(), word) == nullptr) std::printf("    says: %s\n", error.what());
        CHECK(std::strstr(error.what(), word) != nullptr);
    }
}

std::vector<std::uint8_t> ramp(std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    return bytes;
}

void transactions() {
    auto state = mmsb::State::memory();
    auto a = state.create_page(8), b = state.create_page(8);
    int calls = 0;
    auto move = [&](mmsb::Transaction &transaction) {
        ++calls;
        auto from = transaction.get<std::uint64_t>(a.id());
        if (calls < 3) state.transact([&](mmsb::Batch &batch) {
            batch.write(a.id(), 0, std::string(1, static_cast<char>(10 * calls)));
        });
        transaction.put(a.id(), from - 1);
        transaction.put<std::uint64_t>(b.id(), transaction.get<std::uint64_t>(b.id()) + 1);
    };
    CHECK(state.transact(move, "who") > 0);
    EQ(calls, 3);
    EQ(a.read()[0], 19);
    EQ(b.read()[0], 1);
    throws(MMSB_STATUS_RETRIES_EXHAUSTED, "2 tries", [&] {
        calls = 0;
        state.transact(move, {}, {2, 10});
    });
    struct Mine {};
    bool caught = false;
    try {
        state.transact([&](mmsb::Transaction &transaction) {
            transaction.put<std::uint64_t>(b.id(), 7);
            throw Mine();
        });
    } catch (const Mine &) {
        caught = true;
    }
    CHECK(caught);
    EQ(b.read()[0], 1);

    auto transaction = state.begin();
    auto created = transaction.create_page(4);
    auto before = transaction.savepoint();
    transaction.write(created, 0, "abcd");
    CHECK(mmsb::Bytes(transaction.read(created)) == mmsb::Bytes("abcd"));
    transaction.rollback(before);
    transaction.update(created, "efgh");
    transaction.apply(mmsb::Delta::dense(created, "ijkl"));
    transaction.set_metadata(created, "k", "v");
    CHECK(transaction.metadata(created, "k") == "v");
    transaction.remove_metadata(created, "k");
    CHECK(transaction.contains(created) && transaction.list_pages().size() == 3);
    transaction.check();
    transaction.free_page(b.id());
    CHECK(transaction.commit() > 0 && !transaction);
    throws(MMSB_STATUS_NULL_HANDLE, "transaction", [&] { transaction.commit(); });
    throws(MMSB_STATUS_RANGE_OUT_OF_BOUNDS, "9", [&] { state.begin(true).read(a.id(), 0, 9); });
}

void events() {
    mmsb::State state = mmsb::State::memory();
    auto page = state.create_page(8);
    mmsb::EventFilter filter;
    filter.kinds = {MMSB_EVENT_KIND_CHANGED};
    filter.capacity = 2;
    auto all = state.subscribe(), few = state.subscribe(filter);
    filter.pages = std::vector<mmsb::PageId>();
    auto none = state.subscribe(filter);
    CHECK(!all.wait(std::chrono::milliseconds(1)));
    for (std::uint8_t byte = 1; byte < 5; ++byte) page.write(0, mmsb::Bytes(&byte, 1));
    CHECK(all.wait());
    auto told = all.poll(3);
    EQ(told.size(), 3);
    EQ(told[0].kind, MMSB_EVENT_KIND_CHANGED);
    EQ(told[1].kind, MMSB_EVENT_KIND_COMMITTED);
    CHECK(told[0].lsn > all.since());
    EQ(few.lost(), 2);
    EQ(few.lost_groups(), 2);
    EQ(few.poll()[2].kind, MMSB_EVENT_KIND_LOST);
    EQ(none.poll().size(), 0);
    few.close();
    throws(MMSB_STATUS_CLOSED, "closed", [&] { few.poll(); });
    state.close();
    EQ(all.poll().size(), 5);
    throws(MMSB_STATUS_CLOSED, "closed", [&] { all.wait(); });
}

void edges() {
    auto state = mmsb::State::memory();
    auto a = state.create_page(4).id(), b = state.create_page(4).id(), c = state.create_page(4).id();
    auto graph = state.graph();
    CHECK(graph.add(a, b, MMSB_EDGE_KIND_DATA, "who") > 0);
    EQ(graph.add(a, b), 0);
    graph.add(b, c, MMSB_EDGE_KIND_CONTROL);
    throws(MMSB_STATUS_CYCLE, "1 -> 2 -> 3 -> 1", [&] { graph.add(c, a); });
    EQ(graph.parents(c)[0].kind, MMSB_EDGE_KIND_CONTROL);
    EQ(graph.children(a)[0].page, b);
    CHECK(graph.ancestors(c) == std::vector<mmsb::PageId>({a, b}));
    CHECK(graph.descendants(a) == std::vector<mmsb::PageId>({b, c}));
    EQ(graph.order()[2].height, 2);
    EQ(graph.edge_count(), 2);
    CHECK(graph.dot().find("1 -> 2") != std::string::npos);
    CHECK(graph.svg().find("<svg") != std::string::npos);
    throws(MMSB_STATUS_HAS_CHILDREN, "page 3", [&] { state.page(b).free(); });
    graph.remove(b, c, MMSB_EDGE_KIND_CONTROL);
    EQ(graph.free_cascade(a), 2);
    EQ(state.page_count(), 1);
}

void workers() {
    auto state = mmsb::State::memory();
    auto mine = state.create_page(8), shared = state.create_page(8);
    mine.set_ownership(mmsb::Ownership::owned(1), "who");
    CHECK(mine.ownership() == mmsb::Ownership::owned(1));
    throws(MMSB_STATUS_NOT_OWNER, "partition 1", [&] { mine.write(0, "x"); });
    {
        auto partition = state.partition(1);
        partition.transact([&](mmsb::Transaction &t) { t.put<std::uint64_t>(mine.id(), 5); });
        auto transaction = partition.begin();
        transaction.put<std::uint64_t>(mine.id(), 6);
        transaction.set_ownership(shared.id(), mmsb::Ownership::immutable());
        transaction.commit();
    }
    throws(MMSB_STATUS_IMMUTABLE, "page 2", [&] { shared.write(0, "x"); });
    MmsbExecutorConfig config{};
    config.workers = 2;
    auto executor = state.executor(config);
    CHECK(executor.workers() == 2 && executor.pinned() <= 2);
    std::vector<mmsb::Program> programs(2);
    mmsb::Place at{mine.id(), 0};
    programs[0].add(at, 1).require(at, MMSB_RELATION_EQUAL, 7);
    programs[1].transfer(at, {mine.id(), 0}, 100);
    auto tickets = executor.submit(programs, "cpp");
    auto results = tickets.wait();
    EQ(results[0].status, MMSB_STATUS_OK);
    EQ(results[1].status, MMSB_STATUS_CONDITION_FAILED);
    CHECK(results[0].message.empty() && results[1].message.find("page") != std::string::npos);
    mmsb::Program again(programs[0].bytes());
    again.add_float(at, 1.0).write(at, "12345678").compare_and_swap(at, "1", "2");
    CHECK(again.bytes().size() > programs[0].bytes().size());
    auto page = state.create_page(4);
    std::vector<mmsb::Delta> deltas;
    deltas.push_back(mmsb::Delta::dense(page.id(), "done"));
    tickets = executor.apply(deltas);
    while (!tickets.ready()) std::this_thread::yield();
    EQ(tickets.wait()[0].status, MMSB_STATUS_OK);
    EQ(executor.stop(), 0);
    CHECK(state.prometheus("cpp").find("mmsb_pages{state=\"cpp\"} 3") != std::string::npos);
}

void pages() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(16, {MMSB_LOCATION_UNIFIED, {"who", "why"}});
    EQ(page.id(), 1);
    EQ(page.size(), 16);
    EQ(page.location(), MMSB_LOCATION_UNIFIED);
    CHECK(page.update(ramp(16), "feed") > 0);
    EQ(page.update(ramp(16)), 0);
    CHECK(page.write(2, "ab") == page.lsn());
    const std::uint8_t mask[16] = {1};
    page.write_masked(mask, std::string(16, 'z'));
    CHECK(mmsb::Bytes(page.read(0, 4)) == mmsb::Bytes("z\1ab"));
    EQ(page.read().size(), 16);
    EQ(page.epoch(), 3);
    page.set_metadata("color", "red");
    page.set_metadata("age", std::string_view("\0\1", 2));
    CHECK(page.metadata("color") == "red");
    CHECK((page.metadata_keys() == std::vector<std::string>{"age", "color"}));
    page.remove_metadata("color");
    EQ(state.page_count(), 1);
    CHECK(state.list_pages() == std::vector<mmsb::PageId>{1});
    CHECK(page.free("done") > 0);
    throws(MMSB_STATUS_PAGE_FREED, "page 1", [&] { page.size(); });
}

void errors() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(16);
    throws(MMSB_STATUS_RANGE_OUT_OF_BOUNDS, "16", [&] { page.write(15, "ab"); });
    throws(MMSB_STATUS_RANGE_OUT_OF_BOUNDS, "16", [&] { page.read(0, 17); });
    throws(MMSB_STATUS_RANGE_OUT_OF_BOUNDS, "16", [&] { page.read(0, SIZE_MAX); });
    throws(MMSB_STATUS_RANGE_OUT_OF_BOUNDS, "16", [&] { page.read(UINT64_MAX, 1); });
    throws(MMSB_STATUS_LENGTH_MISMATCH, "3", [&] { page.update("abc"); });
    throws(MMSB_STATUS_LENGTH_MISMATCH, "1", [&] { page.write_masked("x", ramp(16)); });
    throws(MMSB_STATUS_INVALID_ARGUMENT, "zero byte at 1",
           [&] { page.write(0, "x", std::string("a\0b", 3)); });
    throws(MMSB_STATUS_NOT_UTF8, "source", [&] { page.write(0, "x", "\xff"); });
    throws(MMSB_STATUS_TOO_LONG, "255", [&] { page.write(0, "x", std::string(256, 'a')); });
    throws(MMSB_STATUS_PAGE_NOT_FOUND, "page 9", [&] { state.page(9).epoch(); });
    throws(MMSB_STATUS_SIZE_OUT_OF_RANGE, "0 bytes", [&] { state.create_page(0); });
    throws(MMSB_STATUS_KEY_NOT_FOUND, "none", [&] { page.metadata("none"); });
    EQ(page.epoch(), 0);
    mmsb::Error error(MMSB_STATUS_LOCKED, "x");
    CHECK(error.code() == 404 && error.name() == "Locked" && error.is_retryable());
    CHECK(!error.is_fatal());
}

void moves() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(8);
    auto moved = std::move(state);
    CHECK(!state && moved); // NOLINT: what a moved-from state is, is the question
    throws(MMSB_STATUS_NULL_HANDLE, "null", [&] { state.digest(); });
    EQ(page.size(), 8);
    moved = mmsb::State::memory(); // closes the first
    throws(MMSB_STATUS_STALE_HANDLE, "closed", [&] { page.size(); });
    auto view = moved.create_page(8).view();
    auto taken = std::move(view);
    EQ(view.size(), 0);
    EQ(taken.size(), 8);
    taken = mmsb::View();
    EQ(taken.size(), 0);
    std::vector<mmsb::State> many;
    for (int i = 0; i < 10; i++) many.push_back(mmsb::State::memory());
    for (auto &one : many) one.create_page(1);
}

void batches() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(8);
    mmsb::PageId made = 0;
    auto lsn = state.transact([&](mmsb::Batch &batch) {
        made = batch.create_page(4);
        batch.update(made, "made");
        batch.write(page.id(), 6, "!!");
        batch.set_metadata(page.id(), "k", "v");
        batch.apply(mmsb::Delta::runs(page.id(), {{0, 1}}, "x"));
    }, "demo");
    CHECK(lsn == page.lsn() && lsn == state.page(made).lsn());
    CHECK(mmsb::Bytes(page.read()) == mmsb::Bytes(std::string_view("x\0\0\0\0\0!!", 8)));
    auto before = state.digest();
    try {
        state.transact([&](mmsb::Batch &batch) {
            batch.free_page(made);
            batch.remove_metadata(page.id(), "k");
            throw std::runtime_error("changed my mind");
        });
        CHECK(!"the exception comes through");
    } catch (const std::runtime_error &error) {
        EQ(std::strcmp(error.what(), "changed my mind"), 0);
    }
    CHECK(state.digest() == before);
    auto batch = state.batch();
    batch.write(99, 0, "x");
    throws(MMSB_STATUS_PAGE_NOT_FOUND, "page 99", [&] { batch.commit(); });
    CHECK(!batch && state.digest() == before);
    batch = state.batch();
    batch.write(page.id(), 0, "y");
    throws(MMSB_STATUS_NOT_UTF8, "source", [&] { batch.commit("\xff"); });
    CHECK(!batch && state.digest() == before);
}

void deltas() {
    auto delta = mmsb::Delta::dense(1, "12345678").with_note({"feed", "late"});
    CHECK(delta.source() == "feed" && delta.intent() == "late");
    CHECK(delta.info().dense && delta.payload().size() == 8 && delta.runs().size() == 1);
    auto sparse = mmsb::Delta::sparse(1, std::string_view("\0\1\0\0\0\0\0\0", 8), "abcdefgh");
    CHECK(!sparse.intent());
    auto both = delta.merge(sparse);
    both.validate(8);
    throws(MMSB_STATUS_LENGTH_MISMATCH, "9", [&] { both.validate(9); });
    throws(MMSB_STATUS_RUNS_INVALID, "run 1",
           [] { mmsb::Delta::runs(1, {{0, 2}, {1, 2}}, "abcd"); });
    throws(MMSB_STATUS_LENGTH_MISMATCH, "2", [] { mmsb::Delta::sparse(1, "x", "ab"); });
    auto state = mmsb::State::memory();
    auto page = state.create_page(8);
    CHECK(state.apply(both) > 0);
    CHECK(mmsb::Bytes(page.read()) == mmsb::Bytes("1b345678"));
    EQ(page.apply(both), 0);
}

void the_past() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(sizeof(double) * 2);
    const std::vector<double> first{1, 2}, second{3, 4};
    page.set_metadata("unit", "m");
    page.set_metadata("by", "hand");
    auto then = page.update(first, {"model", "step 1"});
    auto snapshot = state.snapshot();
    auto view = page.view();
    page.update(second);
    page.set_metadata("unit", "km");
    page.remove_metadata("by");
    EQ(view.as<double>()[1], 2);
    EQ(std::accumulate(view.as<double>().begin(), view.as<double>().end(), 0.0), 3);
    throws(MMSB_STATUS_LENGTH_MISMATCH, "16", [&] { view.as<std::array<char, 3>>(); });
    CHECK(mmsb::Bytes(snapshot.read(page.id())) == view.bytes());
    CHECK(snapshot.page_size(1) == 16 && snapshot.page_epoch(1) == 1 && snapshot.lsn() >= then);
    CHECK(snapshot.metadata(page.id(), "unit") == "m");
    CHECK((snapshot.metadata_keys(page.id()) == std::vector<std::string>{"by", "unit"}));
    throws(MMSB_STATUS_KEY_NOT_FOUND, "none", [&] { snapshot.metadata(page.id(), "none"); });
    EQ(snapshot.list_pages().size(), 1);
    auto past = state.replay_to(then);
    CHECK(past.is_read_only() && past.digest() == snapshot.digest());
    throws(MMSB_STATUS_READ_ONLY, "read-only", [&] { past.create_page(1); });
    CHECK(mmsb::Bytes(page.at(then)) == view.bytes());
    state.close();
    EQ(view.as<double>()[0], 1);
    EQ(view.epoch(), 1);
    EQ(mmsb::hex(past.digest()).size(), 64);
}

void there_and_back() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(100);
    page.write(0, "before");
    auto snapshot = state.snapshot();
    auto mark = state.soft_checkpoint();
    page.write(50, "abc", "feed");
    page.set_metadata("k", "v");
    auto created = state.create_page(8);
    auto found = state.compare(snapshot);
    EQ(found.size(), 2);
    CHECK(found[0].page == page.id() && found[0].metadata && found[0].runs.size() == 1);
    CHECK(found[0].runs[0].offset == 50 && found[0].runs[0].len == 3);
    CHECK(found[1].page == created.id() && found[1].kind == MMSB_DIFFERENCE_KIND_CREATED);
    CHECK(snapshot.compare(state.snapshot()).size() == 2);
    auto inner = state.soft_checkpoint();
    CHECK(state.revert(mark, {"me", "a test"}) > snapshot.lsn());
    EQ(state.compare(snapshot).size(), 0);
    EQ(state.revert(mark), 0);
    EQ(page.epoch(), 3);
    throws(MMSB_STATUS_CHECKPOINT_PASSED, "older", [&] { state.revert(inner); });
    throws(MMSB_STATUS_CHECKPOINT_PASSED, "older", [&] { inner.lsn(); });
    throws(MMSB_STATUS_PAGE_FREED, "freed", [&] { created.size(); });
    auto other = mmsb::State::memory();
    throws(MMSB_STATUS_INVALID_ARGUMENT, "another state", [&] { other.revert(mark); });
    throws(MMSB_STATUS_INVALID_ARGUMENT, "two states", [&] { other.compare(snapshot); });
    mmsb::SoftCheckpoint moved = std::move(mark);
    CHECK(!mark && moved.lsn() > 0);
    throws(MMSB_STATUS_NULL_HANDLE, "null", [&] { state.revert(mark); });
}

void history() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(8, {MMSB_LOCATION_CPU, {"setup"}});
    page.write(0, "a", {"feed", "first"});
    page.write(0, "b", "feed");
    page.set_metadata("k", "v");
    page.remove_metadata("k");
    std::vector<MmsbChangeKind> kinds;
    for (const mmsb::Change &change : state.query()) kinds.push_back(change.kind());
    EQ(kinds.size(), 5);
    mmsb::Query query;
    query.source = "feed";
    query.limit = 1;
    query.page = page.id();
    auto reader = state.query(query);
    auto change = reader.next();
    CHECK(change && change->source() == "feed" && change->intent() == "first");
    CHECK(change->payload() == mmsb::Bytes("a") && change->epoch() == 1);
    auto delta = reader.delta();
    EQ(delta.info().lsn, change->lsn());
    CHECK(!reader.next() && !reader.next());
    throws(MMSB_STATUS_INVALID_ARGUMENT, "no change", [&] { reader.delta(); });
    query = {};
    query.after = UINT64_MAX; // after all, not from the beginning
    CHECK(!state.query(query).next());
    std::size_t removed = 0;
    for (const mmsb::Change &each : state.query()) {
        if (each.kind() == MMSB_CHANGE_KIND_METADATA && !each.value()) removed++;
    }
    EQ(removed, 1);
}

void verification() {
    auto state = mmsb::State::memory();
    state.create_page(8).write(0, "x");
    std::uint64_t told = 0;
    auto verified = state.verify([&](std::uint64_t bytes) { told = bytes; });
    EQ(told, verified.record_bytes);
    EQ(state.verify().records, 2);
    try {
        state.verify([](std::uint64_t) { throw std::runtime_error("enough"); });
        CHECK(!"what the callback throws comes through");
    } catch (const std::runtime_error &error) {
        EQ(std::strcmp(error.what(), "enough"), 0);
    }
    CHECK(state.stats().pages == 1 && state.stats_json().front() == '{');
}

/// A callback that throws ends the call that it was passed to, at once.
template <class Call> void stops(Call call) {
    int calls = 0;
    mmsb::Progress enough = [&](std::uint64_t) {
        calls++;
        throw std::runtime_error("enough");
    };
    try {
        call(enough);
        CHECK(!"what the callback throws comes through");
    } catch (const std::runtime_error &error) {
        EQ(std::strcmp(error.what(), "enough"), 0);
    }
    EQ(calls, 1);
}

void long_calls_stop() {
    std::string image = std::string(scratch()) + "/stopped.image";
    auto state = mmsb::State::memory();
    mmsb::Lsn last = state.create_page(8).write(0, "x");
    state.create_page(8);
    stops([&](auto &progress) { state.verify(progress); });
    stops([&](auto &progress) { state.replay_to(last, progress); });
    stops([&](auto &progress) { state.checkpoint("kept", progress); });
    stops([&](auto &progress) { state.write_checkpoint(image, progress); });
    CHECK(state.checkpoints().empty() && !exists(image.c_str()));
    std::uint64_t told = 0;
    mmsb::Progress note = [&](std::uint64_t done) { told = done; };
    CHECK(state.replay_to(last, note).page_count() == 1);
    EQ(told, last);
    CHECK(state.checkpoint("kept", note) > last);
    EQ(told, 16);
    CHECK(state.write_checkpoint(image, note) > last && exists(image.c_str()));
}

void directories() {
    std::string folder = scratch(), path = folder + "/state", image = folder + "/it.image";
    mmsb::Digest digest;
    {
        auto state = mmsb::State::open(path);
        state.create_page(100).update(ramp(100));
        CHECK(state.flush() <= state.sync());
        state.checkpoint("kept");
        CHECK(state.checkpoints().size() == 1);
        EQ(std::strcmp(state.checkpoints()[0].name, "kept"), 0);
        throws(MMSB_STATUS_LOCKED, "open already", [&] { mmsb::State::open(path); });
        throws(MMSB_STATUS_INVALID_ARGUMENT, "zero byte", [&] {
            state.drop_checkpoint(std::string("\0", 1));
        });
        state.drop_checkpoint("kept");
        state.write_checkpoint(image);
        digest = state.digest();
    } // closed here
    auto config = mmsb::Config::durable(path);
    config.settings.must_exist = true;
    mmsb::State state(config);
    CHECK(state.digest() == digest && !state.recovered().torn);
    state.close();
    throws(MMSB_STATUS_NULL_HANDLE, "null", [&] { state.flush(); });
    CHECK(mmsb::State::load_checkpoint(image).digest() == digest);
}

void allocators_and_logs() {
    mmsb::Allocator allocator;
    auto page = allocator.allocate(8);
    page.write(0, "scratch!");
    allocator.apply(mmsb::Delta::dense(page.id(), "87654321"));
    CHECK(mmsb::Bytes(allocator.page(1).read()) == mmsb::Bytes("87654321"));
    allocator.allocate(1);
    allocator.release(page.id());
    CHECK(allocator.list_pages() == std::vector<mmsb::PageId>{2});
    allocator.clear();
    EQ(allocator.page_count(), 0);
    std::string path = std::string(scratch()) + "/log";
    mmsb::TLog log(path);
    auto lsn = log.append(mmsb::Delta::dense(1, "abc").with_note("feed"));
    log.append(mmsb::Delta::dense(1, "def"));
    CHECK(log.flush() >= lsn && log.sync() >= lsn);
    EQ(log.summary().deltas, 2);
    std::size_t count = 0;
    for (const mmsb::Change &change : log.read(lsn)) count += change.payload().size();
    EQ(count, 3);
    mmsb::Query query;
    query.source = "feed";
    EQ(log.query(query).next()->lsn(), lsn);
    log.close();
    mmsb::TLog again(mmsb::Config::durable(path));
    EQ(again.summary().deltas, 2);
}

void threads() {
    auto state = mmsb::State::memory();
    auto page = state.create_page(8);
    std::vector<std::thread> writers;
    for (std::uint64_t t = 0; t < 4; t++) {
        writers.emplace_back([page, t] {
            for (std::uint64_t i = 0; i < 100; i++) {
                const std::array<std::uint64_t, 1> value{i * 4 + t + 1};
                page.update(value);
            }
        });
    }
    for (auto &writer : writers) writer.join();
    EQ(page.epoch(), 400);
    CHECK(mmsb::version() == rust_mmsb_version() && mmsb::State::pooled() < 1000);
}

void blocks() {
    mmsb::Allocator allocator;
    auto page = allocator.allocate(8000);
    auto block = allocator.block(sizeof(double) * 1000, 256);
    EQ(reinterpret_cast<std::uintptr_t>(block.data()) % 256, 0);
    double *numbers = block.as<double>();
    CHECK(block && block.size() == 8000 && numbers[0] == 0 && numbers[999] == 0);
    block[0] = 1;
    EQ(block.as<std::uint8_t>()[0], 1);
    page.update(block);
    EQ(page.read(0, 1)[0], 1);
    EQ(allocator.stats().blocks, 1);
    EQ(allocator.stats().block_bytes, 8000);
    EQ(allocator.stats().page_bytes, 8000);
    auto taken = std::move(block);
    CHECK(!block && block.size() == 0 && taken.as<double>() == numbers); // NOLINT
    taken = allocator.block(5, 1, false); // frees the first
    EQ(allocator.stats().block_bytes, 5);
    { auto another = allocator.block(1); }
    EQ(allocator.stats().blocks, 1);
    taken = {};
    CHECK(!taken && allocator.stats().blocks == 0);
    taken = allocator.block(64);
    void *there = taken.data();
    allocator.clear();
    EQ(allocator.stats().pages + allocator.stats().blocks, 0);
    auto next = allocator.block(64);
    CHECK(next.data() == there);
    taken = {}; // went with `clear`: what begins there now is another's
    EQ(allocator.stats().blocks, 1);
    allocator = mmsb::Allocator(); // as does `next` with the old allocator
    next = {};
    throws(MMSB_STATUS_SIZE_OUT_OF_RANGE, "0 bytes", [&] { allocator.block(0); });
    throws(MMSB_STATUS_INVALID_ARGUMENT, "alignment of 3", [&] { allocator.block(8, 3); });
    throws(MMSB_STATUS_SIZE_OUT_OF_RANGE, "2097152", [&] { allocator.prewarm(2 << 20, 1); });
    allocator.prewarm(1000, 10);
}

void the_heap() {
    mmsb::Allocator allocator;
    auto block = allocator.block(100000);
    auto stats = mmsb::memory::stats();
    CHECK(stats.in_use >= 100000 && stats.committed >= stats.in_use);
    auto classes = mmsb::memory::classes();
    CHECK(!classes.empty() && classes.size() <= 112);
    CHECK(mmsb::memory::report().find("committed") != std::string::npos);
    mmsb::memory::prewarm(50000, 100);
    mmsb::memory::prewarm(50000, 100, 4096);
    auto calls = mmsb::memory::stats().kernel_calls;
    std::vector<mmsb::Block> many;
    for (int i = 0; i < 100; i++) many.push_back(allocator.block(50000));
    EQ(mmsb::memory::stats().kernel_calls, calls);
    many.clear();
    mmsb::memory::purge();
    EQ(mmsb::memory::stats().retained, 0);
    mmsb::memory::set_retention(0, 0);
    allocator.block(8 << 20);
    EQ(mmsb::memory::stats().retained, 0);
    mmsb::memory::set_retention(256 << 20, 10000);
    mmsb::memory::set_limit(mmsb::memory::stats().committed);
    throws(MMSB_STATUS_OUT_OF_MEMORY, "limit", [&] { allocator.block(64 << 20); });
    throws(MMSB_STATUS_OUT_OF_MEMORY, "limit", [] { mmsb::memory::prewarm(1 << 20, 1000); });
    mmsb::memory::set_limit(0);
    allocator.block(64 << 20);
    mmsb::memory::set_huge_pages(true);
    mmsb::memory::set_huge_pages(false);
    mmsb::memory::check();
    auto config = mmsb::Config::memory();
    config.settings.memory_bytes_max = 10000;
    mmsb::State state(config);
    throws(MMSB_STATUS_OUT_OF_MEMORY, "10000", [&] { state.create_page(20000); });
    state.create_page(1000);
}

void derivations() {
    auto state = mmsb::State::memory();
    auto page = [&] { return state.create_page(8).id(); };
    mmsb::PageId a = page(), b = page(), c = page();
    auto put = [&](double value) { state.page(a).update(mmsb::Bytes(&value, 8)); };
    auto number = [&](mmsb::PageId id) {
        double value;
        std::memcpy(&value, state.page(id).read().data(), 8);
        return value;
    };
    auto derived = state.derivations();
    CHECK(derived.derive(b, {a}, "f64: p0 * 2", "rule") > 0);
    EQ(derived.derive(b, {a}, "f64: p0 * 2"), 0);
    derived.define("plus one", [](auto, const auto &parents, std::uint8_t *out, std::size_t len) {
        double value;
        std::memcpy(&value, parents.at(0).data(), len);
        if (value == 14) throw std::domain_error("no fourteens");
        value += 1;
        std::memcpy(out, &value, len);
    });
    derived.derive_by(c, {b}, "plus one");
    put(3);
    CHECK(number(b) == 6 && number(c) == 7);
    throws(MMSB_STATUS_CALLBACK_FAILED, "no fourteens", [&] { put(7); });
    CHECK(number(a) == 3);
    CHECK(derived.rule(b)->text == "f64: p0 * 2" && !derived.rule(a));
    EQ(derived.rule(c)->kind, MMSB_RULE_KIND_CALLBACK);
    auto told = derived.explain(c);
    EQ(told.origins.size(), 3);
    CHECK(told.origins[0].parents == std::vector<std::size_t>{1} && !told.origins[2].rule);
    CHECK(told.text.find("callback plus one of 2@1") != std::string::npos);
    derived.set_mode(MMSB_PROPAGATION_DEFERRED);
    EQ(derived.mode(), MMSB_PROPAGATION_DEFERRED);
    put(4);
    EQ(derived.staleness(c), MMSB_STALENESS_BEHIND);
    CHECK(derived.stale_pages() == std::vector<mmsb::PageId>({b, c}));
    derived.check_purity();
    CHECK(derived.run("now") > 0);
    EQ(derived.run(), 0);
    derived.check_purity(false);
    derived.set_threads(2);
    EQ(derived.threads(), 2);
    derived.set_mode(MMSB_PROPAGATION_IMMEDIATE);
    EQ(derived.stats().derived, 2);
    derived.set_formula(c, "f64: p0 - 1");
    CHECK(number(c) == 7);
    derived.set_callback(c, "plus one");
    CHECK(number(c) == 9);
    auto zero = [](mmsb::PageId, auto &, std::uint8_t *, std::size_t) {};
    throws(MMSB_STATUS_CYCLE, "page 3", [&] { derived.derive_with(c, {c}, "plus one", zero); });
    CHECK(derived.derive_with(c, {b}, "zero", zero) > 0 && number(c) == 0);
    derived.underive(c);
    throws(MMSB_STATUS_NOT_DERIVED, "page 3", [&] { derived.underive(c); });
    throws(MMSB_STATUS_INVALID_ARGUMENT, "zero byte",
           [&] { derived.derive(c, {a}, std::string("f64\0", 4)); });
    mmsb::set_patient(true);
    mmsb::Semiring shortest(MMSB_SEMIRING_MIN_PLUS);
    CHECK(shortest.add(2, 3) == 2 && shortest.mul(2, 3) == 5);
    CHECK(shortest.fold_add({3, 1}) == 1 && shortest.fold_mul({3, 1}) == 4);
    CHECK(shortest.accumulate(0.5, {3, 1}) == 0.5);
}

void private_pages_need_a_key() {
    auto state = mmsb::State::memory();
    throws(MMSB_STATUS_SEALED, "key", [&] { state.create_private_page(8); });
    throws(MMSB_STATUS_LENGTH_MISMATCH, "4 bytes", [&] { state.unlock("four"); });
    CHECK(!state.is_unlocked());
    state.unlock(std::vector<std::uint8_t>(32, 7));
    CHECK(state.is_unlocked());
    auto page = state.create_private_page(8, {MMSB_LOCATION_CPU, {"who"}}), open = state.create_page(8);
    page.write(2, "ab");
    CHECK(page.is_private() && !open.is_private());
    CHECK(mmsb::Bytes(page.read()) == mmsb::Bytes(std::string("\0\0ab\0\0\0\0", 8)));
    CHECK(mmsb::Bytes(page.read(2, 2)) == mmsb::Bytes("ab"));
    throws(MMSB_STATUS_INVALID_ARGUMENT, "private", [&] { page.view(); });
    auto batch = state.batch();
    auto batched = batch.create_private_page(2);
    batch.commit();
    auto transaction = state.begin();
    auto made = transaction.create_private_page(2);
    transaction.commit();
    CHECK(state.page(batched).is_private() && state.page(made).is_private());
    EQ(state.stats().transactions_sealed, 1);
}

mmsb::State global; // destroyed after main

void a_global_is_closed() {
    std::string path = std::string(scratch()) + "/state";
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        execl(self, self, "global", path.c_str(), nullptr);
        _exit(47);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EQ(mmsb::State::open(path).page_count(), 1);
}

int leave_a_global(const char *path) {
    auto config = mmsb::Config::durable(path);
    config.settings.durability = MMSB_DURABILITY_MEMORY; // nothing but the close writes it
    global = mmsb::State(config);
    global.create_page(8).write(0, "at last");
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    static const Test tests[] = {
        TEST(pages),   TEST(errors),       TEST(moves),       TEST(batches),
        TEST(deltas),  TEST(the_past),     TEST(there_and_back), TEST(history), TEST(verification),
        TEST(threads), TEST(directories),  TEST(allocators_and_logs),
        TEST(long_calls_stop), TEST(a_global_is_closed), TEST(blocks), TEST(the_heap), TEST(transactions), TEST(workers), TEST(edges), TEST(events), TEST(derivations),
        TEST(private_pages_need_a_key),
    };
    self = argv[0];
    return argc == 3 ? leave_a_global(argv[2]) : RUN(tests);
}
