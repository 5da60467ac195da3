// MMSB for C++17: the calls of mmsb.h with owners that free what they own, and exceptions.
//
//   State      a state: open, pages, batches, the past, close      move only
//   Page       which page of which state: a name, not an owner      a plain value
//   Batch      changes that happen together or not at all           move only
//   Delta      a change to one page, built and inspected            move only
//   View       a page's content without a copy                      move only
//   Snapshot   all pages at one moment                              move only
//   SoftCheckpoint   a moment that a state can go back to           move only
//   Reader     changes, one after the other                         move only
//   Events     what happens to a state, as it happens               move only
//   Allocator  pages without a log, and plain blocks                move only
//   Block      a plain block of memory                              move only
//   TLog       a log by itself                                      move only
//
// Header only; link against libmmsb. Rules, the same for every type:
// - A call that fails throws mmsb::Error, and has then changed nothing.
// - A destructor frees and cannot throw. State::close and TLog::close report what the last flush
//   and sync say; a program that must know calls them.
// - A moved-from object is empty: calls on it throw NullHandle, destroying it does nothing.
// - Any object may be used from any thread. Moving or destroying one while another thread uses the
//   same C++ object is a race, as with every C++ type; two names of one state are two objects.

#ifndef MMSB_HPP
#define MMSB_HPP

#include "mmsb.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mmsb {

/// The order of groups in a log, and the id of a delta. 0 stands before every record.
using Lsn = std::uint64_t;
/// Names a page in its state; from 1, never reused.
using PageId = std::uint64_t;
/// 256 bits that are equal exactly if the content is.
using Digest = std::array<std::uint8_t, 32>;

/// The digest as 64 hexadecimal digits.
inline std::string hex(const Digest &digest) {
    std::string text;
    for (std::uint8_t byte : digest) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

/// The library's version, "major.minor.patch".
inline std::string_view version() { return rust_mmsb_version(); }

// ---------------------------------------------------------------------------------------- errors

/// What every failed call throws: its kind, and one sentence that names the value and the limit.
class Error : public std::runtime_error {
  public:
    Error(MmsbStatus kind, const std::string &message)
        : std::runtime_error(message), kind_(kind) {}

    /// What went wrong: compare with MMSB_STATUS_PAGE_FREED and its kin.
    MmsbStatus kind() const noexcept { return kind_; }
    /// The kind's permanent number.
    int code() const noexcept { return static_cast<int>(kind_); }
    /// Whether the same call may succeed later without the caller changing it.
    bool is_retryable() const noexcept { return rust_error_is_retryable(code()); }
    /// Whether the state should be closed and opened again.
    bool is_fatal() const noexcept { return rust_error_is_fatal(code()); }

    /// The kind's name, the same in all languages: "PageFreed".
    std::string_view name() const noexcept {
        MmsbErrorInfo row;
        for (std::size_t i = 0; rust_error_info(i, &row) == MMSB_STATUS_OK; ++i) {
            if (row.code == code()) return {row.name, row.name_len};
        }
        return "Unknown";
    }

  private:
    MmsbStatus kind_;
};

namespace detail {

inline void check(MmsbStatus status) {
    if (status != MMSB_STATUS_OK) throw Error(status, rust_error_message());
}

/// `text` for C, which ends at a zero byte: one inside would cut it short without a word.
inline const char *c_text(const std::string &text, const char *what) {
    auto zero = text.find('\0');
    if (zero != std::string::npos) {
        throw Error(MMSB_STATUS_INVALID_ARGUMENT,
                    std::string(what) + " has a zero byte at " + std::to_string(zero));
    }
    return text.c_str();
}

/// Runs a call that copies to a buffer, with a buffer that is large enough. What is copied may
/// grow between two calls, hence the loop.
template <class T, class Call> std::vector<T> collect(Call call) {
    std::vector<T> items;
    for (;;) {
        std::size_t count = 0;
        MmsbStatus status = call(items.data(), items.size(), &count);
        if (status == MMSB_STATUS_LENGTH_MISMATCH && count > items.size()) {
            items.resize(count);
            continue;
        }
        check(status);
        items.resize(count);
        return items;
    }
}

template <class Call> std::string collect_text(Call call) {
    auto bytes = collect<std::uint8_t>(call);
    return {bytes.begin(), bytes.end()};
}

/// Metadata keys, which are copied as u16 length (little-endian) and key, one after the other.
template <class Call> std::vector<std::string> collect_keys(Call call) {
    auto packed = collect<std::uint8_t>(call);
    std::vector<std::string> keys;
    for (std::size_t at = 0; at + 2 <= packed.size();) {
        std::size_t len = packed[at] | static_cast<std::size_t>(packed[at + 1]) << 8;
        auto key = reinterpret_cast<const char *>(packed.data()) + at + 2;
        keys.emplace_back(key, len);
        at += 2 + len;
    }
    return keys;
}

template <class T, class Call> T fetch(Call call) {
    T value{};
    check(call(&value));
    return value;
}

template <class Call> Digest fetch_digest(Call call) {
    std::uint8_t bytes[32];
    check(call(&bytes));
    Digest digest;
    std::memcpy(digest.data(), bytes, sizeof bytes);
    return digest;
}

/// Owns one handle: moves, and frees at the end.
template <class Raw, MmsbStatus (*Free)(Raw *)> class Owned {
  public:
    Owned() = default;
    explicit Owned(Raw raw) noexcept : raw_(raw) {}
    Owned(Owned &&other) noexcept : raw_(std::exchange(other.raw_, Raw{})) {}
    Owned &operator=(Owned &&other) noexcept {
        if (this != &other) {
            Free(&raw_);
            raw_ = std::exchange(other.raw_, Raw{});
        }
        return *this;
    }
    Owned(const Owned &) = delete;
    Owned &operator=(const Owned &) = delete;
    ~Owned() { Free(&raw_); }

    /// Whether there is an object behind it.
    explicit operator bool() const noexcept { return raw_.id != 0; }
    /// The handle, for calls of mmsb.h; it stays this object's.
    Raw raw() const noexcept { return raw_; }

  protected:
    Raw raw_{};
};

} // namespace detail

// ----------------------------------------------------------------------------------------- bytes

/// Elements that somebody else owns: what a span of C++20 is, to read from.
template <class T> class Slice {
  public:
    Slice() = default;
    Slice(const T *data, std::size_t size) : data_(data), size_(size) {}
    const T *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const T *begin() const noexcept { return data_; }
    const T *end() const noexcept { return size_ == 0 ? data_ : data_ + size_; }
    const T &operator[](std::size_t at) const { return data_[at]; }

  private:
    const T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Bytes to read from. Made of a vector, array or string of any plain type, whose memory it shows.
class Bytes : public Slice<std::uint8_t> {
  public:
    Bytes() = default;
    Bytes(const void *data, std::size_t size)
        : Slice(static_cast<const std::uint8_t *>(data), size) {}
    /// A text without the zero at its end.
    Bytes(const char *text) : Bytes(text, std::strlen(text)) {}
    Bytes(std::string_view text) : Bytes(text.data(), text.size()) {}
    Bytes(const std::string &text) : Bytes(text.data(), text.size()) {}
    template <class T, std::size_t N, class = std::enable_if_t<!std::is_same_v<T, char>>>
    Bytes(const T (&items)[N]) : Bytes(static_cast<const void *>(items), sizeof items) {
        static_assert(std::is_trivially_copyable_v<T>, "only plain values are bytes");
    }
    /// Anything with data() and size(): a vector, an array.
    template <class C, class T = std::remove_pointer_t<decltype(std::declval<const C &>().data())>,
              class = decltype(std::declval<const C &>().size()),
              class = std::enable_if_t<!std::is_base_of_v<Bytes, C>>>
    Bytes(const C &items)
        : Bytes(static_cast<const void *>(items.data()), items.size() * sizeof(T)) {
        static_assert(std::is_trivially_copyable_v<T>, "only plain values are bytes");
    }

    std::string_view text() const noexcept {
        return {reinterpret_cast<const char *>(data()), size()};
    }
    std::vector<std::uint8_t> copy() const { return {begin(), end()}; }
    friend bool operator==(Bytes a, Bytes b) noexcept { return a.text() == b.text(); }
    friend bool operator!=(Bytes a, Bytes b) noexcept { return !(a == b); }
};

/// Who changes something, and why.
struct Note {
    /// Label of who acts, UTF-8, at most 255 bytes.
    std::string source;
    /// Why, UTF-8, at most 65,535 bytes.
    std::optional<std::string> intent;

    Note() = default;
    Note(const char *who) : source(who) {}
    Note(std::string who) : source(std::move(who)) {}
    Note(std::string who, std::string why) : source(std::move(who)), intent(std::move(why)) {}

    /// As mmsb.h wants it; the texts stay this object's.
    MmsbNote raw() const {
        return {detail::c_text(source, "the source"),
                intent ? detail::c_text(*intent, "the intent") : nullptr};
    }
};

/// Who may change a page.
struct Ownership {
    /// 0 for anybody, 1 for nobody ever again, else 2 and a partition's number.
    std::uint32_t code = 0;

    static constexpr Ownership shared() noexcept { return {0}; }
    static constexpr Ownership immutable() noexcept { return {1}; }
    static constexpr Ownership owned(std::uint16_t partition) noexcept {
        return {2u + partition};
    }
    friend constexpr bool operator==(Ownership a, Ownership b) noexcept { return a.code == b.code; }
    friend constexpr bool operator!=(Ownership a, Ownership b) noexcept { return !(a == b); }
};

// -------------------------------------------------------------------------- views, deltas, pages

/// A page's content as it was when the view was made. Stays valid and unchanged until it is
/// destroyed, while writers go on and after the state is closed.
class View : public detail::Owned<MmsbView, rust_view_free> {
  public:
    View() = default;
    explicit View(MmsbView raw) : Owned(raw) {
        const std::uint8_t *data = nullptr;
        std::size_t size = 0;
        detail::check(rust_view_data(raw, &data, &size));
        bytes_ = Bytes(data, size);
    }
    View(View &&other) noexcept
        : Owned(std::move(other)), bytes_(std::exchange(other.bytes_, Bytes())) {}
    View &operator=(View &&other) noexcept {
        Owned::operator=(std::move(other));
        bytes_ = std::exchange(other.bytes_, Bytes());
        return *this;
    }

    Bytes bytes() const noexcept { return bytes_; }
    const std::uint8_t *data() const noexcept { return bytes_.data(); }
    std::size_t size() const noexcept { return bytes_.size(); }
    const std::uint8_t *begin() const noexcept { return bytes_.begin(); }
    const std::uint8_t *end() const noexcept { return bytes_.end(); }
    std::uint8_t operator[](std::size_t at) const { return bytes_[at]; }
    /// How often the page's content had changed.
    std::uint64_t epoch() const {
        return detail::fetch<std::uint64_t>([&](auto out) { return rust_view_epoch(raw_, out); });
    }

    /// The content as whole values of `T`; the data stands at a multiple of 64.
    template <class T> Slice<T> as() const {
        static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 64, "only plain values");
        if (size() % sizeof(T) != 0) {
            throw Error(MMSB_STATUS_LENGTH_MISMATCH,
                        std::to_string(size()) + " bytes are no whole number of values of " +
                            std::to_string(sizeof(T)));
        }
        return {reinterpret_cast<const T *>(data()), size() / sizeof(T)};
    }

  private:
    Bytes bytes_;
};

/// A change to one page, by itself.
class Delta : public detail::Owned<MmsbDelta, rust_delta_free> {
  public:
    using Owned::Owned;

    /// `bytes` become the whole content of the page, which has exactly that size.
    static Delta dense(PageId page, Bytes bytes) {
        MmsbDelta raw{};
        detail::check(rust_delta_new(page, bytes.data(), bytes.size(), &raw));
        return Delta(raw);
    }
    /// `bytes` where `mask` is not zero; both have the page's size.
    static Delta sparse(PageId page, Bytes mask, Bytes bytes) {
        if (mask.size() != bytes.size()) {
            throw Error(MMSB_STATUS_LENGTH_MISMATCH,
                        "a mask of " + std::to_string(mask.size()) + " bytes for " +
                            std::to_string(bytes.size()));
        }
        MmsbDelta raw{};
        detail::check(
            rust_delta_new_sparse(page, mask.data(), bytes.data(), bytes.size(), &raw));
        return Delta(raw);
    }
    /// `runs`, ascending and not overlapping; `payload` holds their bytes one after the other.
    static Delta runs(PageId page, const std::vector<MmsbRun> &runs, Bytes payload) {
        MmsbDelta raw{};
        detail::check(rust_delta_new_runs(page, runs.data(), runs.size(), payload.data(),
                                          payload.size(), &raw));
        return Delta(raw);
    }

    /// The same delta with another note.
    Delta with_note(const Note &note) const {
        MmsbDelta raw{};
        MmsbNote text = note.raw();
        detail::check(rust_delta_with_note(raw_, text.source, text.intent, &raw));
        return Delta(raw);
    }
    /// This delta and then `later`, in one.
    Delta merge(const Delta &later) const {
        MmsbDelta raw{};
        detail::check(rust_delta_merge(raw_, later.raw_, &raw));
        return Delta(raw);
    }
    /// Throws if the delta does not fit a page of `page_size` bytes.
    void validate(std::size_t page_size) const {
        detail::check(rust_delta_validate(raw_, page_size));
    }
    MmsbDeltaInfo info() const {
        return detail::fetch<MmsbDeltaInfo>([&](auto out) { return rust_delta_info(raw_, out); });
    }
    std::vector<MmsbRun> runs() const {
        return detail::collect<MmsbRun>([&](auto buf, auto capacity, auto len) {
            return rust_delta_runs(raw_, buf, capacity, len);
        });
    }
    std::vector<std::uint8_t> payload() const {
        return detail::collect<std::uint8_t>([&](auto buf, auto capacity, auto len) {
            return rust_delta_payload(raw_, buf, capacity, len);
        });
    }
    std::string source() const {
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_delta_source(raw_, buf, capacity, len);
        });
    }
    std::optional<std::string> intent() const {
        bool present = false;
        auto text = detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_delta_intent(raw_, buf, capacity, len, &present);
        });
        return present ? std::optional(text) : std::nullopt;
    }
};

/// A page of a state or allocator: which one, not the page itself. A plain value; copy it freely.
/// One that outlives its page or state is noticed: calls throw PageFreed or StaleHandle.
class Page {
  public:
    Page() = default;
    explicit Page(MmsbPage raw) noexcept : raw_(raw) {}
    PageId id() const noexcept { return raw_.id; }
    MmsbPage raw() const noexcept { return raw_; }

    /// Makes `content`, exactly the page's size, its content. 0 if it was already so.
    Lsn update(Bytes content, const Note &note = {}) const {
        return noted(note, [&](auto text, auto lsn) {
            return rust_page_update(raw_, content.data(), content.size(), text, lsn);
        });
    }
    /// Writes `bytes` from `offset` on. 0 if they were already so.
    Lsn write(std::uint64_t offset, Bytes bytes, const Note &note = {}) const {
        return noted(note, [&](auto text, auto lsn) {
            return rust_page_write(raw_, offset, bytes.data(), bytes.size(), text, lsn);
        });
    }
    /// Writes `bytes` where `mask` is not zero; both have the page's size.
    Lsn write_masked(Bytes mask, Bytes bytes, const Note &note = {}) const {
        if (mask.size() != bytes.size()) {
            throw Error(MMSB_STATUS_LENGTH_MISMATCH,
                        "a mask of " + std::to_string(mask.size()) + " bytes for " +
                            std::to_string(bytes.size()));
        }
        return noted(note, [&](auto text, auto lsn) {
            return rust_page_write_masked(raw_, mask.data(), bytes.data(), bytes.size(), text, lsn);
        });
    }
    /// Applies a delta that names this page, with the note that it carries.
    Lsn apply(const Delta &delta) const {
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_delta_apply_to(delta.raw(), raw_, lsn); });
    }
    /// Who may change the page.
    Ownership ownership() const {
        return {detail::fetch<std::uint32_t>(
            [&](auto out) { return rust_page_ownership(raw_, out); })};
    }
    /// Makes a shared page somebody's, or nobody's.
    Lsn set_ownership(Ownership ownership, const Note &note = {}) const {
        return noted(note, [&](auto text, auto lsn) {
            return rust_page_set_ownership(raw_, ownership.code, text, lsn);
        });
    }
    /// Ends the page. Its id is never used again.
    Lsn free(const Note &note = {}) const {
        return noted(note, [&](auto text, auto lsn) { return rust_page_free(raw_, text, lsn); });
    }

    /// `size` bytes from `offset` on.
    std::vector<std::uint8_t> read(std::uint64_t offset, std::size_t size) const {
        std::uint64_t whole = this->size();
        if (size > whole) { // before a buffer of that size is asked of the heap
            throw Error(MMSB_STATUS_RANGE_OUT_OF_BOUNDS,
                        std::to_string(size) + " bytes at offset " + std::to_string(offset) +
                            " of page " + std::to_string(id()) + ", which has " +
                            std::to_string(whole) + " bytes");
        }
        std::vector<std::uint8_t> bytes(size);
        detail::check(rust_page_read(raw_, offset, bytes.data(), bytes.size()));
        return bytes;
    }
    /// The whole content, copied.
    std::vector<std::uint8_t> read() const {
        return is_private() ? read(0, size()) : view().bytes().copy();
    }
    /// The whole content without a copy.
    View view() const {
        MmsbView raw{};
        detail::check(rust_page_view(raw_, &raw, nullptr, nullptr));
        return View(raw);
    }
    /// The content when everything up to `lsn` had happened.
    std::vector<std::uint8_t> at(Lsn lsn) const {
        return detail::collect<std::uint8_t>([&](auto buf, auto capacity, auto len) {
            return rust_page_at(raw_, lsn, buf, capacity, len, nullptr);
        });
    }

    std::uint64_t size() const { return number(rust_page_size); }
    /// Whether it is sealed, and only the state's key opens it.
    bool is_private() const {
        return detail::fetch<bool>([&](auto out) { return rust_page_is_private(raw_, out); });
    }
    std::uint64_t epoch() const { return number(rust_page_epoch); }
    Lsn lsn() const { return number(rust_page_lsn); }
    MmsbLocation location() const {
        std::uint32_t location = 0;
        detail::check(rust_page_location(raw_, &location));
        return static_cast<MmsbLocation>(location);
    }

    Lsn set_metadata(Bytes key, Bytes value, const Note &note = {}) const {
        return noted(note, [&](auto text, auto lsn) {
            return rust_page_metadata_set(raw_, key.data(), key.size(), value.data(), value.size(),
                                          text, lsn);
        });
    }
    Lsn remove_metadata(Bytes key, const Note &note = {}) const {
        return noted(note, [&](auto text, auto lsn) {
            return rust_page_metadata_remove(raw_, key.data(), key.size(), text, lsn);
        });
    }
    std::string metadata(Bytes key) const {
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_page_metadata_get(raw_, key.data(), key.size(), buf, capacity, len);
        });
    }
    /// All metadata keys, ascending.
    std::vector<std::string> metadata_keys() const {
        return detail::collect_keys([&](auto buf, auto capacity, auto len) {
            return rust_page_metadata_keys(raw_, buf, capacity, len);
        });
    }

  private:
    template <class Call> static Lsn noted(const Note &note, Call call) {
        MmsbNote text = note.raw();
        Lsn lsn = 0;
        detail::check(call(&text, &lsn));
        return lsn;
    }
    std::uint64_t number(MmsbStatus (*get)(MmsbPage, std::uint64_t *)) const {
        return detail::fetch<std::uint64_t>([&](auto out) { return get(raw_, out); });
    }

    MmsbPage raw_{};
};

// ----------------------------------------------------------------------------------- the history

/// One change, as long as its reader stands at it: texts and bytes belong to the reader.
class Change {
  public:
    explicit Change(const MmsbChange &raw) : raw_(raw) {}
    const MmsbChange &raw() const noexcept { return raw_; }

    Lsn lsn() const noexcept { return raw_.lsn; }
    std::uint64_t time_ms() const noexcept { return raw_.time_ms; }
    PageId page() const noexcept { return raw_.page; }
    std::uint64_t epoch() const noexcept { return raw_.epoch; }
    Lsn prev() const noexcept { return raw_.prev; }
    MmsbChangeKind kind() const noexcept { return raw_.kind; }
    std::string_view source() const noexcept { return {raw_.source, raw_.source_len}; }
    std::optional<std::string_view> intent() const noexcept {
        if (raw_.intent == nullptr) return std::nullopt;
        return std::string_view(raw_.intent, raw_.intent_len);
    }
    /// Of a MMSB_CHANGE_KIND_CREATED: bytes of the page.
    std::uint64_t size() const noexcept { return raw_.size; }
    /// Of a MMSB_CHANGE_KIND_WRITTEN: the new content, one run after the other.
    Bytes payload() const noexcept { return {raw_.payload, raw_.payload_len}; }
    /// Of a MMSB_CHANGE_KIND_METADATA: the key, and the value unless the key went.
    Bytes key() const noexcept { return {raw_.key, raw_.key_len}; }
    std::optional<Bytes> value() const noexcept {
        if (raw_.value == nullptr) return std::nullopt;
        return Bytes(raw_.value, raw_.value_len);
    }

  private:
    MmsbChange raw_;
};

/// Which changes to read; the default is all that are kept.
struct Query {
    std::optional<PageId> page;
    std::optional<Lsn> after;
    std::optional<Lsn> to;
    std::optional<std::uint64_t> from_ms;
    std::optional<std::uint64_t> to_ms;
    std::optional<std::string> source;
    std::optional<std::uint64_t> limit;

    /// As mmsb.h wants it; the text stays this object's.
    MmsbQuery raw() const {
        auto query = detail::fetch<MmsbQuery>([](auto out) { return rust_query_default(out); });
        query.page = page.value_or(query.page);
        // The library's own word for "where history begins" is an LSN that a caller may name.
        if (after) query.after = *after == UINT64_MAX ? UINT64_MAX - 1 : *after;
        query.to = to.value_or(query.to);
        query.from_ms = from_ms.value_or(query.from_ms);
        query.to_ms = to_ms.value_or(query.to_ms);
        query.limit = limit.value_or(query.limit);
        if (source) query.source = detail::c_text(*source, "the source");
        return query;
    }
};

/// Walks changes in LSN order: `for (const mmsb::Change &change : state.query())`. Once only.
class Reader : public detail::Owned<MmsbReader, rust_tlog_reader_free> {
  public:
    using Owned::Owned;

    /// The next change; nothing at the end. It is gone with the next call.
    std::optional<Change> next() {
        MmsbChange change;
        bool more = false;
        detail::check(rust_tlog_reader_next(raw_, &change, &more));
        return more ? std::optional<Change>(change) : std::nullopt;
    }
    /// The delta of the change that the reader stands at, as the caller's own.
    Delta delta() const {
        MmsbDelta raw{};
        detail::check(rust_tlog_reader_delta(raw_, &raw));
        return Delta(raw);
    }

    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Change;
        using difference_type = std::ptrdiff_t;
        using pointer = const Change *;
        using reference = const Change &;

        Iterator() = default;
        explicit Iterator(Reader &reader) : reader_(&reader), at_(reader.next()) {}
        reference operator*() const { return *at_; }
        pointer operator->() const { return &*at_; }
        Iterator &operator++() {
            at_ = reader_->next();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(const Iterator &) const noexcept { return !at_; }
        bool operator!=(const Iterator &) const noexcept { return at_.has_value(); }

      private:
        Reader *reader_ = nullptr;
        std::optional<Change> at_;
    };
    Iterator begin() { return Iterator(*this); }
    Iterator end() { return {}; }
};

/// A page that is not the same in two snapshots.
struct Difference {
    PageId page;
    MmsbDifferenceKind kind;
    /// Of a MMSB_DIFFERENCE_KIND_CHANGED: whether metadata, owner, edges or rule differ, and stretches of
    /// content that do.
    bool metadata;
    std::vector<MmsbRun> runs;
};

namespace detail {

/// The differences that a comparison found.
template <class Call> std::vector<Difference> differences(Call compare) {
    Owned<MmsbComparison, rust_comparison_free> found(fetch<MmsbComparison>(compare));
    auto count = fetch<std::size_t>([&](auto out) { return rust_comparison_len(found.raw(), out); });
    std::vector<Difference> all;
    for (std::size_t i = 0; i < count; ++i) {
        auto at = fetch<MmsbDifference>(
            [&](auto out) { return rust_comparison_get(found.raw(), i, out); });
        std::vector<MmsbRun> runs;
        if (at.runs_len != 0) runs.assign(at.runs, at.runs + at.runs_len);
        all.push_back({at.page, at.kind, at.metadata, std::move(runs)});
    }
    return all;
}

} // namespace detail

/// All pages at one moment, between groups.
class Snapshot : public detail::Owned<MmsbSnapshot, rust_snapshot_free> {
  public:
    using Owned::Owned;

    Lsn lsn() const {
        return detail::fetch<Lsn>([&](auto out) { return rust_snapshot_lsn(raw_, out); });
    }
    Digest digest() const {
        return detail::fetch_digest([&](auto out) { return rust_snapshot_digest(raw_, out); });
    }
    std::uint64_t page_size(PageId page) const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_snapshot_page_size(raw_, page, out); });
    }
    std::uint64_t page_epoch(PageId page) const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_snapshot_page_epoch(raw_, page, out); });
    }
    /// The whole content of a page, copied.
    std::vector<std::uint8_t> read(PageId page) const {
        std::vector<std::uint8_t> bytes(page_size(page));
        detail::check(rust_snapshot_read(raw_, page, 0, bytes.data(), bytes.size()));
        return bytes;
    }
    std::string metadata(PageId page, Bytes key) const {
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_snapshot_metadata_get(raw_, page, key.data(), key.size(), buf, capacity,
                                              len);
        });
    }
    /// All metadata keys of a page, ascending.
    std::vector<std::string> metadata_keys(PageId page) const {
        return detail::collect_keys([&](auto buf, auto capacity, auto len) {
            return rust_snapshot_metadata_keys(raw_, page, buf, capacity, len);
        });
    }
    std::vector<PageId> list_pages() const {
        return detail::collect<PageId>([&](auto buf, auto capacity, auto len) {
            return rust_snapshot_list_pages(raw_, buf, capacity, len);
        });
    }
    /// What differs in `other` from what this one shows, page by page, ascending.
    std::vector<Difference> compare(const Snapshot &other) const {
        return detail::differences(
            [&](auto out) { return rust_snapshot_compare(raw_, other.raw_, out); });
    }
    /// Writes an image to a file that must not exist; State::load_checkpoint opens it. Returns where
    /// the snapshot stands.
    Lsn write(const std::string &path) const {
        const char *where = detail::c_text(path, "the path");
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_snapshot_write(raw_, where, nullptr, nullptr, lsn);
        });
    }
};

/// A moment that its state can go back to: State::soft_checkpoint, State::revert. Destroying it
/// gives it up.
class SoftCheckpoint
    : public detail::Owned<MmsbSoftCheckpoint, rust_soft_checkpoint_release> {
  public:
    using Owned::Owned;

    /// Where it stands. Throws CheckpointPassed once the state went back past it.
    Lsn lsn() const {
        return detail::fetch<Lsn>([&](auto out) { return rust_soft_checkpoint_lsn(raw_, out); });
    }
};

// ---------------------------------------------------------------------------------------- states

/// How a state or log is opened.
struct Config {
    /// Directory; none is a state in memory.
    std::optional<std::string> path;
    /// The rest; `settings.path` is not looked at.
    MmsbConfig settings{};

    /// A state in memory.
    static Config memory() { return Config(false, std::nullopt); }
    /// A state in the directory `path`, flushed and synced in the background.
    static Config durable(std::string path) { return Config(true, std::move(path)); }

    MmsbConfig raw() const {
        MmsbConfig config = settings;
        config.path = path ? detail::c_text(*path, "the path") : nullptr;
        return config;
    }

  private:
    Config(bool durably, std::optional<std::string> where) : path(std::move(where)) {
        detail::check(rust_config_default(durably, &settings));
    }
};

/// What a page that is created is like.
struct PageOptions {
    MmsbLocation location = MMSB_LOCATION_CPU;
    Note note;
};

/// Told how far a long call has come. What it throws ends the call and comes out of it.
using Progress = std::function<void(std::uint64_t)>;

class State;

/// Changes that happen together or not at all. One that is destroyed without a commit is given up.
class Batch : public detail::Owned<MmsbBatch, rust_batch_free> {
  public:
    using Owned::Owned;

    /// Makes all changes at once; ends the batch, whether it throws or not. 0 if nothing changes.
    Lsn commit(const Note &note = {}) {
        Batch ending = std::move(*this); // freed on every way out
        MmsbNote text = note.raw();
        Lsn lsn = 0;
        detail::check(rust_batch_commit(&ending.raw_, &text, &lsn));
        return lsn;
    }
    /// Creates a page when the batch commits; its id can be used in the batch at once.
    PageId create_page(std::uint64_t size, MmsbLocation location = MMSB_LOCATION_CPU) {
        return detail::fetch<PageId>(
            [&](auto id) { return rust_batch_create_page(raw_, size, location, id); });
    }
    /// As create_page, of a page that only the state's key opens.
    PageId create_private_page(std::uint64_t size, MmsbLocation location = MMSB_LOCATION_CPU) {
        return detail::fetch<PageId>(
            [&](auto id) { return rust_batch_create_private_page(raw_, size, location, id); });
    }
    void free_page(PageId page) { detail::check(rust_batch_free_page(raw_, page)); }
    void update(PageId page, Bytes content) {
        detail::check(rust_batch_update(raw_, page, content.data(), content.size()));
    }
    void write(PageId page, std::uint64_t offset, Bytes bytes) {
        detail::check(rust_batch_write(raw_, page, offset, bytes.data(), bytes.size()));
    }
    /// Applies a copy of `delta`. The note of the batch counts, not the delta's.
    void apply(const Delta &delta) { detail::check(rust_batch_apply(raw_, delta.raw())); }
    void set_metadata(PageId page, Bytes key, Bytes value) {
        detail::check(rust_batch_metadata_set(raw_, page, key.data(), key.size(), value.data(),
                                              value.size()));
    }
    void remove_metadata(PageId page, Bytes key) {
        detail::check(rust_batch_metadata_remove(raw_, page, key.data(), key.size()));
    }
};

/// An edge as one of its ends sees it: the page at the other end, and an MmsbEdgeKind.
using Link = MmsbLink;
/// A page, and the most edges on a way to it from a page without parents.
using Rank = MmsbRank;

/// What derives from what in a state, which it must not outlive.
class Graph {
  public:
    explicit Graph(MmsbState state) noexcept : state_(state) {}

    /// `child` derives from `parent` from here on. 0 if it does already. Throws Cycle.
    Lsn add(PageId parent, PageId child, MmsbEdgeKind kind = MMSB_EDGE_KIND_DATA,
            const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_graph_add_edge(state_, parent, child, kind, &text, lsn);
        });
    }
    Lsn remove(PageId parent, PageId child, MmsbEdgeKind kind = MMSB_EDGE_KIND_DATA,
               const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_graph_remove_edge(state_, parent, child, kind, &text, lsn);
        });
    }
    /// What a page derives from, in the order in which the edges were added.
    std::vector<Link> parents(PageId page) const {
        return detail::collect<Link>([&](auto buf, auto capacity, auto len) {
            return rust_graph_parents(state_, page, buf, capacity, len);
        });
    }
    /// What derives from a page, ascending.
    std::vector<Link> children(PageId page) const {
        return detail::collect<Link>([&](auto buf, auto capacity, auto len) {
            return rust_graph_children(state_, page, buf, capacity, len);
        });
    }
    std::vector<PageId> ancestors(PageId page) const {
        return detail::collect<PageId>([&](auto buf, auto capacity, auto len) {
            return rust_graph_ancestors(state_, page, buf, capacity, len);
        });
    }
    std::vector<PageId> descendants(PageId page) const {
        return detail::collect<PageId>([&](auto buf, auto capacity, auto len) {
            return rust_graph_descendants(state_, page, buf, capacity, len);
        });
    }
    /// All pages with edges, parents before children.
    std::vector<Rank> order() const {
        return detail::collect<Rank>([&](auto buf, auto capacity, auto len) {
            return rust_graph_order(state_, buf, capacity, len);
        });
    }
    std::uint64_t edge_count() const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_graph_edge_count(state_, out); });
    }
    /// All edges in the DOT language.
    std::string dot() const {
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_graph_dot(state_, buf, capacity, len);
        });
    }
    /// All edges as a picture.
    std::string svg() const {
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_graph_svg(state_, buf, capacity, len);
        });
    }
    /// Frees a page and all that derive from it; returns how many those are.
    std::size_t free_cascade(PageId page, const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<std::size_t>([&](auto count) {
            return rust_graph_free_cascade(state_, page, &text, count, nullptr);
        });
    }

  private:
    MmsbState state_;
};

/// How a page is computed: a formula, or the callback that is registered under a name.
struct Rule {
    MmsbRuleKind kind;
    std::string text;
};

/// What made a page's content; `parents` are indexes of the explanation.
struct Origin {
    PageId page;
    std::uint64_t epoch;
    Lsn lsn;
    std::uint64_t time_ms;
    std::string source;
    std::optional<std::string> intent;
    std::optional<Rule> rule;
    std::vector<std::size_t> parents;
};

/// What a page's content was made of, the page's own first; and as text, a line for each.
struct Explanation {
    std::vector<Origin> origins;
    std::uint64_t dropped;
    std::string text;
};

/// Computes a page: fills `out`, which is all zero, from the parents' contents. What it throws ends
/// the whole change as CallbackFailed, with the exception's what() in the sentence.
using Recompute =
    std::function<void(PageId page, const std::vector<Bytes> &parents, std::uint8_t *out,
                       std::size_t len)>;

namespace detail {

/// What the library calls. No exception may leave through its frames.
inline std::int32_t recompute(void *context, std::uint64_t page, const MmsbBytes *parents,
                              std::size_t count, std::uint8_t *out, std::size_t len, char *message,
                              std::size_t capacity) noexcept {
    std::string said;
    try {
        std::vector<Bytes> given;
        for (std::size_t i = 0; i < count; ++i) given.emplace_back(parents[i].data, parents[i].len);
        (*static_cast<Recompute *>(context))(page, given, out, len);
        return 0;
    } catch (const std::exception &error) {
        said = error.what();
    } catch (...) {
        said = "its callback threw";
    }
    std::size_t used = said.size() < capacity ? said.size() : capacity - 1;
    std::memcpy(message, said.data(), used);
    message[used] = 0;
    return 1;
}

inline void forget(void *context) noexcept { delete static_cast<Recompute *>(context); }

} // namespace detail

/// Pages that are computed from others, in a state, which it must not outlive.
class Derivations {
  public:
    explicit Derivations(MmsbState state) noexcept : state_(state) {}

    /// Has `page` computed by a formula (docs/formulas.md) from `parents`, from now on and at once. 0 if
    /// it is so already. Throws InvalidArgument with the place in the formula, LengthMismatch, Cycle.
    Lsn derive(PageId page, const std::vector<PageId> &parents, const std::string &formula,
               const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_propagate_derive(state_, page, parents.data(), parents.size(),
                                         detail::c_text(formula, "formula"), &text, lsn);
        });
    }
    /// As above, by the callback that is registered under `name`. Throws NoCallback, CallbackFailed.
    Lsn derive_by(PageId page, const std::vector<PageId> &parents, const std::string &name,
                  const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_propagate_derive_by(state_, page, parents.data(), parents.size(),
                                            detail::c_text(name, "name"), &text, lsn);
        });
    }
    /// As above, by a callback that is registered under `name` for it. If it fails, what was registered
    /// under that name before still is. Throws InvalidArgument if another callback of that name computes
    /// another page; for more pages by the same one: derive_by.
    Lsn derive_with(PageId page, const std::vector<PageId> &parents, const std::string &name,
                    Recompute callback, const Note &note = {}) const {
        const char *id = detail::c_text(name, "name");
        MmsbNote text = note.raw();
        auto *context = new Recompute(std::move(callback));
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_propagate_derive_with(state_, page, parents.data(), parents.size(), id,
                                              detail::recompute, context, detail::forget, true, &text,
                                              lsn);
        });
    }
    /// Registers a callback under a name, until the state is closed, in the place of what was registered
    /// under it. It may be called on any thread that changes a parent, and depends on its parents alone:
    /// calls to the state from inside it throw Reentered, and end the whole change.
    void define(const std::string &name, Recompute callback) const {
        const char *text = detail::c_text(name, "name");
        auto *context = new Recompute(std::move(callback));
        detail::check(rust_propagate_register(state_, text, detail::recompute, context,
                                              detail::forget, true));
    }
    Lsn set_formula(PageId page, const std::string &formula, const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_propagate_set_formula(state_, page, detail::c_text(formula, "formula"),
                                              &text, lsn);
        });
    }
    Lsn set_callback(PageId page, const std::string &name, const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>([&](auto lsn) {
            return rust_propagate_set_callback(state_, page, detail::c_text(name, "name"), &text,
                                               lsn);
        });
    }
    /// Makes a page an ordinary one, with the content that it has. Throws NotDerived.
    Lsn underive(PageId page, const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_propagate_underive(state_, page, &text, lsn); });
    }
    std::optional<Rule> rule(PageId page) const {
        std::uint32_t kind = 0;
        std::string text = detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_propagate_rule(state_, page, &kind, buf, capacity, len);
        });
        if (kind == MMSB_RULE_KIND_NONE) return std::nullopt;
        return Rule{static_cast<MmsbRuleKind>(kind), std::move(text)};
    }
    MmsbStaleness staleness(PageId page) const {
        return static_cast<MmsbStaleness>(detail::fetch<std::uint32_t>(
            [&](auto out) { return rust_propagate_staleness(state_, page, out); }));
    }
    std::vector<PageId> stale_pages() const {
        return detail::collect<PageId>([&](auto buf, auto capacity, auto len) {
            return rust_propagate_stale_pages(state_, buf, capacity, len);
        });
    }
    /// Computes all that is stale, as one group. 0 if nothing is.
    Lsn run(const Note &note = {}) const {
        MmsbNote text = note.raw();
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_propagate_run(state_, &text, lsn); });
    }
    MmsbPropagation mode() const {
        return static_cast<MmsbPropagation>(detail::fetch<std::uint32_t>(
            [&](auto out) { return rust_propagate_mode(state_, out); }));
    }
    void set_mode(MmsbPropagation mode) const {
        detail::check(rust_propagate_set_mode(state_, mode));
    }
    /// Threads that share in computing pages that are due at once.
    std::size_t threads() const {
        return detail::fetch<std::size_t>(
            [&](auto out) { return rust_propagate_threads(state_, out); });
    }
    void set_threads(std::size_t threads) const {
        detail::check(rust_propagate_set_threads(state_, threads));
    }
    /// Has each callback called twice from now on, and compared, or no longer.
    void check_purity(bool check = true) const {
        detail::check(rust_propagate_check_purity(state_, check));
    }
    MmsbPropagationStats stats() const {
        return detail::fetch<MmsbPropagationStats>(
            [&](auto out) { return rust_propagate_stats(state_, out); });
    }
    /// What made the content of a page, back to what was written by hand.
    Explanation explain(PageId page) const {
        struct Freed {
            MmsbExplanation raw;
            ~Freed() { rust_explanation_free(&raw); }
        } told{detail::fetch<MmsbExplanation>(
            [&](auto out) { return rust_propagate_explain(state_, page, out); })};
        Explanation explanation{};
        std::size_t count = 0;
        detail::check(rust_explanation_len(told.raw, &count, &explanation.dropped));
        for (std::size_t at = 0; at < count; ++at) {
            auto origin = detail::fetch<MmsbOrigin>(
                [&](auto out) { return rust_explanation_get(told.raw, at, out); });
            std::optional<std::string> intent;
            if (origin.intent) intent.emplace(origin.intent, origin.intent_len);
            std::optional<Rule> rule;
            if (origin.rule) {
                rule = Rule{static_cast<MmsbRuleKind>(origin.rule_kind),
                            std::string(origin.rule, origin.rule_len)};
            }
            explanation.origins.push_back(
                {origin.page, origin.epoch, origin.lsn, origin.time_ms,
                 std::string(origin.source, origin.source_len), std::move(intent),
                 std::move(rule),
                 std::vector<std::size_t>(origin.parents, origin.parents + origin.parents_len)});
        }
        explanation.text = detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_explanation_text(told.raw, buf, capacity, len);
        });
        return explanation;
    }

  private:
    MmsbState state_;
};

/// Has calls that would wait for another thread's callback throw Busy instead, in this process, or wait,
/// as they do at first.
inline void set_patient(bool patient) { detail::check(rust_propagate_set_patient(patient)); }

/// Two operations, plus and times, that formulas fold with, over numbers of one's own.
class Semiring {
  public:
    explicit Semiring(MmsbSemiring semiring) noexcept : semiring_(semiring) {}

    double add(double a, double b) const {
        return detail::fetch<double>(
            [&](auto out) { return rust_semiring_add(semiring_, a, b, out); });
    }
    double mul(double a, double b) const {
        return detail::fetch<double>(
            [&](auto out) { return rust_semiring_mul(semiring_, a, b, out); });
    }
    double fold_add(const std::vector<double> &values) const {
        return detail::fetch<double>([&](auto out) {
            return rust_semiring_fold_add(semiring_, values.data(), values.size(), out);
        });
    }
    double fold_mul(const std::vector<double> &values) const {
        return detail::fetch<double>([&](auto out) {
            return rust_semiring_fold_mul(semiring_, values.data(), values.size(), out);
        });
    }
    /// total plus all values: goes on with a sum that was begun before.
    double accumulate(double total, const std::vector<double> &values) const {
        return detail::fetch<double>([&](auto out) {
            return rust_semiring_accumulate(semiring_, total, values.data(), values.size(), out);
        });
    }

  private:
    MmsbSemiring semiring_;
};

/// A place in a transaction to go back to.
using Savepoint = MmsbSavepoint;

/// Reads and writes that happen at one moment, or, without a commit, not at all. What it reads is of
/// one moment, with its own writes on top. Once another has changed what it read, all calls throw
/// Conflict: it is to be begun anew, as State::transact does. For one thread at a time.
class Transaction : public detail::Owned<MmsbTransaction, rust_transaction_abort> {
  public:
    using Owned::Owned;

    /// Makes all happen at once; ends the transaction, whether it throws or not. 0 if nothing changes.
    Lsn commit(const Note &note = {}) {
        Transaction ending = std::move(*this); // freed on every way out
        MmsbNote text = note.raw();
        Lsn lsn = 0;
        detail::check(rust_transaction_commit(&ending.raw_, &text, &lsn));
        return lsn;
    }
    /// Throws Conflict unless all that was read still holds.
    void check() const { detail::check(rust_transaction_check(raw_)); }

    /// `size` bytes from `offset` on.
    std::vector<std::uint8_t> read(PageId page, std::uint64_t offset, std::size_t size) const {
        std::vector<std::uint8_t> bytes(size < page_size(page) ? size : page_size(page));
        detail::check(rust_transaction_read(raw_, page, offset, bytes.data(), size));
        return bytes;
    }
    /// The whole content.
    std::vector<std::uint8_t> read(PageId page) const { return read(page, 0, page_size(page)); }
    /// The value of type `T` that stands at `offset`.
    template <class T> T get(PageId page, std::uint64_t offset = 0) const {
        static_assert(std::is_trivially_copyable_v<T>, "only plain values are bytes");
        T value{};
        detail::check(rust_transaction_read(raw_, page, offset,
                                            reinterpret_cast<std::uint8_t *>(&value), sizeof value));
        return value;
    }
    /// Puts a value of type `T` at `offset`.
    template <class T> void put(PageId page, const T &value, std::uint64_t offset = 0) {
        static_assert(std::is_trivially_copyable_v<T>, "only plain values are bytes");
        write(page, offset, Bytes(static_cast<const void *>(&value), sizeof value));
    }
    std::uint64_t page_size(PageId page) const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_transaction_page_size(raw_, page, out); });
    }
    bool contains(PageId page) const {
        return detail::fetch<bool>(
            [&](auto out) { return rust_transaction_contains(raw_, page, out); });
    }
    std::vector<PageId> list_pages() const {
        return detail::collect<PageId>([&](auto buf, auto capacity, auto len) {
            return rust_transaction_list_pages(raw_, buf, capacity, len);
        });
    }
    /// Creates a page when the transaction commits; its id can be used at once.
    PageId create_page(std::uint64_t size, MmsbLocation location = MMSB_LOCATION_CPU) {
        return detail::fetch<PageId>(
            [&](auto id) { return rust_transaction_create_page(raw_, size, location, id); });
    }
    /// As create_page, of a page that only the state's key opens.
    PageId create_private_page(std::uint64_t size, MmsbLocation location = MMSB_LOCATION_CPU) {
        return detail::fetch<PageId>([&](auto id) {
            return rust_transaction_create_private_page(raw_, size, location, id);
        });
    }
    void free_page(PageId page) { detail::check(rust_transaction_free_page(raw_, page)); }
    void update(PageId page, Bytes content) {
        detail::check(rust_transaction_update(raw_, page, content.data(), content.size()));
    }
    void write(PageId page, std::uint64_t offset, Bytes bytes) {
        detail::check(rust_transaction_write(raw_, page, offset, bytes.data(), bytes.size()));
    }
    /// Applies a copy of `delta`. The note of the commit counts, not the delta's.
    void apply(const Delta &delta) { detail::check(rust_transaction_apply(raw_, delta.raw())); }
    std::string metadata(PageId page, Bytes key) const {
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_transaction_metadata_get(raw_, page, key.data(), key.size(), buf, capacity,
                                                 len);
        });
    }
    void set_metadata(PageId page, Bytes key, Bytes value) {
        detail::check(rust_transaction_metadata_set(raw_, page, key.data(), key.size(),
                                                    value.data(), value.size()));
    }
    void remove_metadata(PageId page, Bytes key) {
        detail::check(rust_transaction_metadata_remove(raw_, page, key.data(), key.size()));
    }
    /// Makes a page somebody's from the commit on.
    void set_ownership(PageId page, Ownership ownership) {
        detail::check(rust_transaction_set_ownership(raw_, page, ownership.code));
    }

    Savepoint savepoint() const {
        return detail::fetch<Savepoint>(
            [&](auto out) { return rust_transaction_savepoint(raw_, out); });
    }
    /// Takes back all that was written after a savepoint, and the savepoints after it.
    void rollback(Savepoint to) { detail::check(rust_transaction_rollback(raw_, to)); }
    /// The handle, which is the caller's from here on.
    MmsbTransaction release() noexcept { return std::exchange(raw_, MmsbTransaction{}); }
};

/// How often a transaction that met another is tried again; zeros are the defaults.
using Retry = MmsbRetry;

namespace detail {

/// Runs a transaction's body for rust_transact. What the body throws waits here: it must not travel
/// through the library, and what it had read may hold no longer.
template <class Body> struct Trying {
    Body &body;
    std::exception_ptr thrown;

    static int attempt(void *context, MmsbTransaction raw) noexcept {
        auto self = static_cast<Trying *>(context);
        self->thrown = nullptr;
        Transaction transaction(raw);
        int status = 0;
        try {
            self->body(transaction);
        } catch (const Error &error) {
            self->thrown = std::current_exception();
            status = error.code();
        } catch (...) {
            self->thrown = std::current_exception();
            status = -1;
        }
        transaction.release();
        return status;
    }

    template <class Call> static Lsn run(Body &body, Call call) {
        Trying trying{body, nullptr};
        Lsn lsn = 0;
        MmsbStatus status = call(&Trying::attempt, &trying, &lsn);
        bool exhausted = status == MMSB_STATUS_RETRIES_EXHAUSTED;
        if (status != MMSB_STATUS_OK && !exhausted && trying.thrown) {
            std::rethrow_exception(trying.thrown);
        }
        check(status);
        return lsn;
    }
};

} // namespace detail

/// The right to change the pages of one partition; given back at the end.
class Partition : public detail::Owned<MmsbPartition, rust_partition_free> {
  public:
    using Owned::Owned;

    /// A transaction that may change the partition's pages, and shared ones.
    Transaction begin() {
        return Transaction(detail::fetch<MmsbTransaction>(
            [&](auto out) { return rust_partition_begin(raw_, out); }));
    }
    /// As State::transact, for the partition.
    template <class Body> Lsn transact(Body &&body, const Note &note = {}, Retry retry = {}) {
        MmsbNote text = note.raw();
        return detail::Trying<std::remove_reference_t<Body>>::run(
            body, [&](auto attempt, auto context, auto lsn) {
                return rust_partition_transact(raw_, &retry, &text, attempt, context, lsn);
            });
    }
};

/// Where a number or some bytes stand.
using Place = MmsbPlace;

/// A transaction as bytes, for workers: its steps are done in order, all or none.
class Program : public detail::Owned<MmsbProgram, rust_program_free> {
  public:
    Program() { detail::check(rust_program_new(&raw_)); }
    /// As `bytes` gave it.
    explicit Program(Bytes steps) {
        detail::check(rust_program_from_bytes(steps.data(), steps.size(), &raw_));
    }

    /// The 64-bit integer at a place grows, wrapping.
    Program &add(Place at, std::int64_t by) { return step(rust_program_add(raw_, at, by)); }
    /// The double at a place grows.
    Program &add_float(Place at, double by) { return step(rust_program_add_float(raw_, at, by)); }
    /// Bytes become others, if they are as expected; else the program fails.
    Program &compare_and_swap(Place at, Bytes expected, Bytes bytes) {
        if (expected.size() != bytes.size()) {
            throw Error(MMSB_STATUS_LENGTH_MISMATCH,
                        std::to_string(expected.size()) + " bytes are expected, " +
                            std::to_string(bytes.size()) + " are to replace them");
        }
        return step(rust_program_compare_and_swap(raw_, at, expected.data(), bytes.data(),
                                                  bytes.size()));
    }
    /// An amount goes from the unsigned 64-bit integer at one place, if it has as much, to another.
    Program &transfer(Place from, Place to, std::uint64_t amount) {
        return step(rust_program_transfer(raw_, from, to, amount));
    }
    Program &write(Place at, Bytes bytes) {
        return step(rust_program_write(raw_, at, bytes.data(), bytes.size()));
    }
    /// Fails unless the unsigned 64-bit integer at a place relates to `value` like that.
    Program &require(Place at, MmsbRelation relation, std::uint64_t value) {
        return step(rust_program_require(raw_, at, relation, value));
    }
    std::vector<std::uint8_t> bytes() const {
        return detail::collect<std::uint8_t>([&](auto buf, auto capacity, auto len) {
            return rust_program_bytes(raw_, buf, capacity, len);
        });
    }

  private:
    Program &step(MmsbStatus status) {
        detail::check(status);
        return *this;
    }
};

/// What became of one program or delta, and what is wrong with one that failed.
struct Result : MmsbResult {
    std::string message;
};

/// Where the results of what workers were given arrive.
class Tickets : public detail::Owned<MmsbTickets, rust_tickets_free> {
  public:
    Tickets() = default;
    Tickets(MmsbTickets raw, std::size_t count) noexcept : Owned(raw), count_(count) {}

    bool ready() const {
        return detail::fetch<bool>([&](auto out) { return rust_tickets_ready(raw_, out); });
    }
    /// Waits for all; ends the tickets.
    std::vector<Result> wait() {
        std::vector<MmsbResult> raw(count_);
        detail::check(rust_tickets_wait(&raw_, raw.data(), raw.size()));
        std::vector<Result> results;
        for (std::size_t at = 0; at < raw.size(); ++at)
            results.push_back({raw[at], rust_result_message(at)});
        return results;
    }

  private:
    std::size_t count_ = 0;
};

/// Worker threads that run transactions, each for a partition of its own, from 0 on. Its end does
/// all that was submitted first.
class Executor : public detail::Owned<MmsbExecutor, rust_executor_free> {
  public:
    using Owned::Owned;

    /// Programs of one partition run in their order, those across several for all of them.
    Tickets submit(const std::vector<Program> &programs, const std::string &source = {}) {
        auto label = detail::c_text(source, "the source");
        return submitted<MmsbProgram>(programs, [&](auto raw, auto count, auto out) {
            return rust_executor_submit(raw_, raw, count, label, out);
        });
    }
    /// Deltas of one page are applied in their order, different pages at the same time.
    Tickets apply(const std::vector<Delta> &deltas) {
        return submitted<MmsbDelta>(deltas, [&](auto raw, auto count, auto out) {
            return rust_executor_apply(raw_, raw, count, out);
        });
    }
    std::size_t workers() const {
        return detail::fetch<std::size_t>(
            [&](auto out) { return rust_executor_workers(raw_, out, nullptr); });
    }
    /// Workers that are bound to a core of their own.
    std::size_t pinned() const {
        return detail::fetch<std::size_t>(
            [&](auto out) { return rust_executor_workers(raw_, nullptr, out); });
    }
    /// Ends the workers after what they are at; returns how much was not begun.
    std::size_t stop() {
        std::size_t left = 0;
        detail::check(rust_executor_stop(&raw_, &left));
        return left;
    }

  private:
    template <class Raw, class Items, class Call>
    static Tickets submitted(const Items &items, Call call) {
        std::vector<Raw> raw;
        for (const auto &item : items) raw.push_back(item.raw());
        auto tickets = detail::fetch<MmsbTickets>(
            [&](auto out) { return call(raw.data(), raw.size(), out); });
        return Tickets(tickets, raw.size());
    }
};

/// Which events are wanted, and how many of them may wait.
struct EventFilter {
    /// Empty for all.
    std::vector<MmsbEventKind> kinds;
    /// Pages by their ids; none for all pages.
    std::optional<std::vector<PageId>> pages;
    /// 0 for 65,536.
    std::size_t capacity = 0;

    /// As mmsb.h wants it; the ids stay this object's.
    MmsbEventFilter raw() const {
        MmsbEventFilter raw{};
        for (auto kind : kinds) raw.kinds |= std::uint64_t{1} << kind;
        raw.capacity = capacity;
        // No pages at all are not all pages.
        static const PageId nothing = 0;
        if (pages) {
            raw.pages = pages->empty() ? &nothing : pages->data();
            raw.page_count = pages->size();
        }
        return raw;
    }
};

/// What happens to a state, as a queue that writers never wait for. It may outlive its state.
class Events : public detail::Owned<MmsbEvents, rust_events_free> {
  public:
    using Owned::Owned;

    /// Takes the oldest events that wait, without waiting. Throws Closed once nothing is left of a
    /// subscription that was closed, or whose state was.
    std::vector<MmsbEvent> poll(std::size_t max = 1024) {
        std::vector<MmsbEvent> events(max);
        std::size_t count = 0;
        detail::check(rust_events_poll(raw_, events.data(), max, &count));
        events.resize(count);
        return events;
    }
    /// Waits until an event waits; whether one does. Throws Closed, as poll.
    bool wait() const { return waited(UINT64_MAX); }
    bool wait(std::chrono::microseconds timeout) const {
        return waited(static_cast<std::uint64_t>(timeout.count() < 0 ? 0 : timeout.count()));
    }
    /// It is told of every group above this closed LSN, and of none at or below.
    Lsn since() const {
        return detail::fetch<Lsn>([&](auto out) { return rust_events_since(raw_, out); });
    }
    /// Events that it was not told, as it was full.
    std::uint64_t lost() const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_events_lost(raw_, out, nullptr); });
    }
    /// Groups that it was not told, as it was full.
    std::uint64_t lost_groups() const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_events_lost(raw_, nullptr, out); });
    }
    /// Ends it, and wakes whoever waits for it.
    void close() { detail::check(rust_events_close(raw_)); }

  private:
    bool waited(std::uint64_t timeout_us) const {
        return detail::fetch<bool>(
            [&](auto out) { return rust_events_wait(raw_, timeout_us, out); });
    }
};

/// A program's live state: pages, their history, and a log that gives them back.
class State : public detail::Owned<MmsbState, rust_state_close> {
  public:
    using Owned::Owned;

    explicit State(const Config &config) {
        MmsbConfig raw = config.raw();
        detail::check(rust_state_open(&raw, &raw_));
    }
    /// A state in memory.
    static State memory() { return State(Config::memory()); }
    /// A state in the directory `path`.
    static State open(std::string path) { return State(Config::durable(std::move(path))); }
    /// The image in the file `path` as a new state in memory.
    static State load_checkpoint(const std::string &path) {
        MmsbState raw{};
        detail::check(rust_checkpoint_load(detail::c_text(path, "the path"), &raw));
        return State(raw);
    }
    /// States that wait for reuse.
    static std::size_t pooled() noexcept { return rust_state_pooled(); }

    /// Flushes, syncs, releases the directory, and throws what that said. The state is closed all
    /// the same.
    void close() { detail::check(rust_state_close(&raw_)); }

    Page create_page(std::uint64_t size, const PageOptions &options = {}) {
        MmsbNote note = options.note.raw();
        MmsbPage page{};
        detail::check(rust_page_create(raw_, size, options.location, &note, &page));
        return Page(page);
    }
    /// A page that is sealed in memory and in files; only the key of unlock() opens it. It is read
    /// by copy, has no views, and nothing is computed from it.
    Page create_private_page(std::uint64_t size, const PageOptions &options = {}) {
        MmsbNote note = options.note.raw();
        MmsbPage page{};
        detail::check(rust_page_create_private(raw_, size, options.location, &note, &page));
        return Page(page);
    }
    /// Gives the state the key of its private pages, 32 bytes, for as long as it is open.
    void unlock(Bytes key) { detail::check(rust_state_unlock(raw_, key.data(), key.size())); }
    /// Whether the state has a key.
    bool is_unlocked() const {
        return detail::fetch<bool>([&](auto out) { return rust_state_is_unlocked(raw_, out); });
    }
    /// The page of that id; whether it exists is noticed when it is used.
    Page page(PageId id) const noexcept { return Page(MmsbPage{raw_.id, id}); }
    std::uint64_t page_count() const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_state_page_count(raw_, out); });
    }
    std::vector<PageId> list_pages() const {
        return detail::collect<PageId>([&](auto buf, auto capacity, auto len) {
            return rust_state_list_pages(raw_, buf, capacity, len);
        });
    }

    /// A batch of nothing yet.
    Batch batch() {
        return Batch(detail::fetch<MmsbBatch>([&](auto out) { return rust_batch_new(raw_, out); }));
    }
    /// Begins a transaction; `read_only`: one that may not write.
    Transaction begin(bool read_only = false) {
        return Transaction(detail::fetch<MmsbTransaction>(
            [&](auto out) { return rust_transaction_begin(raw_, read_only, out); }));
    }
    /// Calls `body` with a Transaction and commits it, anew as long as it conflicts with others. What
    /// `body` throws gives it up and comes out, unless what it had read holds no longer: then it may
    /// be a consequence of that. Throws RetriesExhausted after `retry.tries`.
    ///
    /// A `body` that takes a Batch gets one instead, which is committed once.
    template <class Body> Lsn transact(Body &&body, const Note &note = {}, Retry retry = {}) {
        if constexpr (!std::is_invocable_v<Body, Transaction &>) {
            Batch changes = batch();
            std::forward<Body>(body)(changes);
            return changes.commit(note);
        } else {
            MmsbNote text = note.raw();
            return detail::Trying<std::remove_reference_t<Body>>::run(
                body, [&](auto attempt, auto context, auto lsn) {
                    return rust_transact(raw_, &retry, &text, attempt, context, lsn);
                });
        }
    }
    /// Waits after the `conflicts`th conflict in a row, from 1, of a transaction that its caller tries
    /// again. Throws RetriesExhausted if that was the last try.
    void after_conflict(std::uint32_t conflicts, Retry retry = {}) {
        detail::check(rust_transaction_after_conflict(raw_, &retry, conflicts));
    }
    /// What derives from what; not to be used after this state's end.
    Graph graph() const noexcept { return Graph(raw_); }
    /// Pages that are computed from others; not to be used after this state's end.
    Derivations derivations() const noexcept { return Derivations(raw_); }
    /// Tells of everything that happens from now on and passes the filter.
    Events subscribe(const EventFilter &filter = {}) const {
        MmsbEventFilter raw = filter.raw();
        return Events(detail::fetch<MmsbEvents>(
            [&](auto out) { return rust_events_subscribe(raw_, &raw, out); }));
    }
    /// Takes a partition until what is returned is destroyed.
    Partition partition(std::uint32_t number) {
        return Partition(detail::fetch<MmsbPartition>(
            [&](auto out) { return rust_partition_open(raw_, number, out); }));
    }
    /// Starts workers that each hold a partition, from 0 on.
    Executor executor(const MmsbExecutorConfig &config = {}) {
        return Executor(detail::fetch<MmsbExecutor>(
            [&](auto out) { return rust_executor_new(raw_, &config, out); }));
    }
    /// Applies a delta to the page that it names, with the note that it carries.
    Lsn apply(const Delta &delta) {
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_delta_apply(delta.raw(), raw_.id, lsn); });
    }

    /// Hands everything before the call to the operating system.
    Lsn flush() {
        return detail::fetch<Lsn>([&](auto lsn) { return rust_state_flush(raw_, lsn); });
    }
    /// Makes everything before the call durable.
    Lsn sync() {
        return detail::fetch<Lsn>([&](auto lsn) { return rust_state_sync(raw_, lsn); });
    }

    Snapshot snapshot() {
        return Snapshot(
            detail::fetch<MmsbSnapshot>([&](auto out) { return rust_snapshot_new(raw_, out); }));
    }
    /// What differs now from what a snapshot shows.
    std::vector<Difference> compare(const Snapshot &from) {
        return detail::differences(
            [&](auto out) { return rust_state_compare(raw_, from.raw(), out); });
    }
    /// Marks the state as it is now, to go back to.
    SoftCheckpoint soft_checkpoint() {
        return SoftCheckpoint(detail::fetch<MmsbSoftCheckpoint>(
            [&](auto out) { return rust_state_soft_checkpoint(raw_, out); }));
    }
    /// Makes content, metadata, owners, edges and existence of all pages what they were, as one group;
    /// epochs go on growing. Returns its LSN, 0 if nothing is different. Marks made after `mark` are passed.
    Lsn revert(const SoftCheckpoint &mark, const Note &note = {}) {
        MmsbNote raw = note.raw();
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_state_revert(raw_, mark.raw(), &raw, lsn); });
    }
    Reader query(const Query &which = {}) {
        MmsbQuery raw = which.raw();
        return Reader(detail::fetch<MmsbReader>(
            [&](auto out) { return rust_state_query(raw_, &raw, out); }));
    }
    /// The state as it was when everything up to `lsn` had happened: read-only, in memory.
    State replay_to(Lsn lsn) {
        return State(detail::fetch<MmsbState>(
            [&](auto out) { return rust_state_replay_to(raw_, lsn, out); }));
    }
    /// As above; `progress` is told the LSN of each record. What it throws ends the replay.
    State replay_to(Lsn lsn, const Progress &progress) {
        return State(detail::fetch<MmsbState>([&](auto out) {
            return told(progress, [&](auto tell, auto context) {
                return rust_state_replay_with(raw_, lsn, tell, context, out);
            });
        }));
    }
    Digest digest() const {
        return detail::fetch_digest([&](auto out) { return rust_state_digest(raw_, out); });
    }

    /// A durable image of the state as of now; with a name it is kept until it is dropped.
    Lsn checkpoint(const std::optional<std::string> &name = std::nullopt) {
        auto text = name ? detail::c_text(*name, "the name") : nullptr;
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_checkpoint_create(raw_, text, lsn); });
    }
    /// As above; `progress` is told the bytes of pages written so far. What it throws gives the
    /// checkpoint up.
    Lsn checkpoint(const std::optional<std::string> &name, const Progress &progress) {
        auto text = name ? detail::c_text(*name, "the name") : nullptr;
        return detail::fetch<Lsn>([&](auto lsn) {
            return told(progress, [&](auto tell, auto context) {
                return rust_checkpoint_create_with(raw_, text, tell, context, lsn);
            });
        });
    }
    void drop_checkpoint(const std::string &name) {
        detail::check(rust_checkpoint_drop(raw_, detail::c_text(name, "the name")));
    }
    std::vector<MmsbCheckpoint> checkpoints() const {
        return detail::collect<MmsbCheckpoint>([&](auto buf, auto capacity, auto len) {
            return rust_checkpoint_list(raw_, buf, capacity, len);
        });
    }
    /// Writes an image to the file `path`, which must not exist.
    Lsn write_checkpoint(const std::string &path) {
        auto text = detail::c_text(path, "the path");
        return detail::fetch<Lsn>([&](auto lsn) { return rust_checkpoint_write(raw_, text, lsn); });
    }
    /// As above, with `progress` as of `checkpoint`.
    Lsn write_checkpoint(const std::string &path, const Progress &progress) {
        auto text = detail::c_text(path, "the path");
        return detail::fetch<Lsn>([&](auto lsn) {
            return told(progress, [&](auto tell, auto context) {
                return rust_checkpoint_write_with(raw_, text, tell, context, lsn);
            });
        });
    }

    bool is_read_only() const {
        return detail::fetch<bool>([&](auto out) { return rust_state_is_read_only(raw_, out); });
    }
    MmsbRecovered recovered() const {
        return detail::fetch<MmsbRecovered>(
            [&](auto out) { return rust_state_recovered(raw_, out); });
    }
    MmsbStats stats() const {
        return detail::fetch<MmsbStats>([&](auto out) { return rust_state_stats(raw_, out); });
    }
    std::string stats_json() const {
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_state_stats_json(raw_, buf, capacity, len);
        });
    }

    /// The stats as Prometheus reads them; `name` becomes the label `state`.
    std::string prometheus(const std::optional<std::string> &name = std::nullopt) const {
        auto text = name ? detail::c_text(*name, "the name") : nullptr;
        return detail::collect_text([&](auto buf, auto capacity, auto len) {
            return rust_state_prometheus(raw_, text, buf, capacity, len);
        });
    }

    /// Checks everything that is stored. `progress` is told bytes checked so far; what it throws
    /// ends the verification and comes out of this call.
    MmsbVerified verify(const Progress &progress = {}) {
        return detail::fetch<MmsbVerified>([&](auto verified) {
            return told(progress, [&](auto tell, auto context) {
                return rust_state_verify(raw_, tell, context, verified);
            });
        });
    }

  private:
    /// An exception must not travel through the library, which is not C++: it waits here.
    struct Telling {
        const Progress &call;
        std::exception_ptr thrown;

        static int tell(void *context, std::uint64_t done) noexcept {
            auto self = static_cast<Telling *>(context);
            try {
                self->call(done);
                return 0;
            } catch (...) {
                self->thrown = std::current_exception();
                return 1;
            }
        }
    };

    /// Makes a call that tells its progress, and throws what that threw.
    template <class Call> static MmsbStatus told(const Progress &progress, Call &&call) {
        Telling telling{progress, nullptr};
        MmsbStatus status = call(progress ? &Telling::tell : nullptr, &telling);
        if (telling.thrown) std::rethrow_exception(telling.thrown);
        return status;
    }
};

// ------------------------------------------------------------------------- allocators, lone logs

/// A plain block of memory of an allocator. Destroying it frees the memory, as do the allocator's end
/// and `clear`: nothing may be read or written through a block that is left after those.
class Block {
  public:
    Block() = default;
    Block(Block &&other) noexcept { swap(other); }
    Block &operator=(Block &&other) noexcept {
        Block taken(std::move(other));
        swap(taken);
        return *this;
    }
    Block(const Block &) = delete;
    Block &operator=(const Block &) = delete;
    ~Block() {
        // One that went with its allocator is noticed there.
        if (data_ != nullptr && is_there()) rust_allocator_free_block(owner_, data_);
    }

    std::uint8_t *data() const noexcept { return data_; }
    /// Bytes.
    std::size_t size() const noexcept { return size_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }
    std::uint8_t &operator[](std::size_t at) const noexcept { return data_[at]; }
    /// The memory as items of type `T`: size() / sizeof(T) of them.
    template <class T> T *as() const noexcept {
        static_assert(std::is_trivially_copyable_v<T>, "only plain values are bytes");
        return reinterpret_cast<T *>(data_);
    }

  private:
    friend class Allocator;
    using Clears = std::shared_ptr<const std::atomic<std::uint64_t>>;
    Block(MmsbAllocator owner, Clears clears, void *data, std::size_t size)
        : owner_(owner), clears_(std::move(clears)), since_(*clears_),
          data_(static_cast<std::uint8_t *>(data)), size_(size) {}

    /// After a `clear` somebody else's block may begin there.
    bool is_there() const noexcept { return *clears_ == since_; }
    void swap(Block &other) noexcept {
        std::swap(owner_, other.owner_);
        std::swap(clears_, other.clears_);
        std::swap(since_, other.since_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    MmsbAllocator owner_{};
    Clears clears_;
    std::uint64_t since_ = 0;
    std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Pages without a log: scratch data in the same shape as a state's, and plain blocks.
class Allocator : public detail::Owned<MmsbAllocator, rust_allocator_free> {
  public:
    Allocator() { detail::check(rust_allocator_new(&raw_)); }

    Page allocate(std::uint64_t size, MmsbLocation location = MMSB_LOCATION_CPU) {
        MmsbPage page{};
        detail::check(rust_allocator_allocate(raw_, size, location, &page));
        return Page(page);
    }
    void release(PageId page) { detail::check(rust_allocator_release(raw_, page)); }
    Page page(PageId id) const {
        MmsbPage page{};
        detail::check(rust_allocator_get_page(raw_, id, &page));
        return Page(page);
    }
    Lsn apply(const Delta &delta) {
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_delta_apply(delta.raw(), raw_.id, lsn); });
    }
    std::uint64_t page_count() const {
        return detail::fetch<std::uint64_t>(
            [&](auto out) { return rust_allocator_page_count(raw_, out); });
    }
    std::vector<PageId> list_pages() const {
        return detail::collect<PageId>([&](auto buf, auto capacity, auto len) {
            return rust_allocator_list_pages(raw_, buf, capacity, len);
        });
    }
    /// Frees all pages and all blocks.
    void clear() {
        detail::check(rust_allocator_clear(raw_));
        ++*clears_;
    }

    /// A block of `size` bytes at a multiple of `align`, a power of two up to 4,096; with any
    /// content unless `zeroed`.
    Block block(std::size_t size, std::size_t align = 16, bool zeroed = true) {
        void *data = detail::fetch<void *>([&](auto out) {
            return rust_allocator_alloc_block(raw_, size, align, zeroed, out);
        });
        return Block(raw_, clears_, data, size);
    }
    /// Makes memory for `count` more pages of `size` bytes, up to 1 MiB, ready.
    void prewarm(std::uint64_t size, std::size_t count) {
        detail::check(rust_allocator_prewarm(raw_, size, count));
    }
    MmsbAllocatorStats stats() const {
        return detail::fetch<MmsbAllocatorStats>(
            [&](auto out) { return rust_allocator_stats(raw_, out); });
    }

  private:
    std::shared_ptr<std::atomic<std::uint64_t>> clears_ =
        std::make_shared<std::atomic<std::uint64_t>>(0);
};

/// A log by itself, without a state that its deltas change.
class TLog : public detail::Owned<MmsbTLog, rust_tlog_free> {
  public:
    explicit TLog(const std::string &path) {
        detail::check(rust_tlog_new(detail::c_text(path, "the path"), &raw_));
    }
    explicit TLog(const Config &config) {
        MmsbConfig raw = config.raw();
        detail::check(rust_tlog_open(&raw, &raw_));
    }

    /// Flushes and syncs, and throws what that said. The log is closed all the same.
    void close() { detail::check(rust_tlog_free(&raw_)); }
    Lsn append(const Delta &delta) {
        return detail::fetch<Lsn>(
            [&](auto lsn) { return rust_tlog_append(raw_, delta.raw(), lsn); });
    }
    Lsn flush() {
        return detail::fetch<Lsn>([&](auto lsn) { return rust_tlog_flush(raw_, lsn); });
    }
    Lsn sync() {
        return detail::fetch<Lsn>([&](auto lsn) { return rust_tlog_sync(raw_, lsn); });
    }
    MmsbTLogSummary summary() const {
        return detail::fetch<MmsbTLogSummary>(
            [&](auto out) { return rust_tlog_summary(raw_, out); });
    }
    /// Records above `after` and up to `to`.
    Reader read(Lsn after = 0, Lsn to = UINT64_MAX) const {
        return Reader(detail::fetch<MmsbReader>(
            [&](auto out) { return rust_tlog_reader_new(raw_, after, to, out); }));
    }
    Reader query(const Query &which = {}) const {
        MmsbQuery raw = which.raw();
        return Reader(detail::fetch<MmsbReader>(
            [&](auto out) { return rust_tlog_query(raw_, &raw, out); }));
    }
};

// ---------------------------------------------------------------------------------------- memory

/// The heap under all states and allocators of the process.
namespace memory {

/// Counts the heap. Cost: some microseconds per hundred slabs, and a look at the kernel's list of
/// mappings.
inline MmsbMemoryStats stats() {
    return detail::fetch<MmsbMemoryStats>([](auto out) { return rust_memory_stats(out); });
}
/// The size classes that have slabs, ascending.
inline std::vector<MmsbMemoryClass> classes() {
    return detail::collect<MmsbMemoryClass>(rust_memory_classes);
}
/// A table for people: the heap, and a row for each class.
inline std::string report() { return detail::collect_text(rust_memory_report); }
/// Makes `count` free blocks for `size` bytes, up to 1 MiB, at multiples of `align` ready.
inline void prewarm(std::size_t size, std::size_t count, std::size_t align = 16) {
    detail::check(rust_memory_prewarm(size, align, count));
}
/// Gives what the calling thread keeps, and all slabs without content, to the operating system.
/// Returns the bytes that went.
inline std::uint64_t purge() {
    return detail::fetch<std::uint64_t>([](auto out) { return rust_memory_purge(out); });
}
/// Limits the bytes of slabs in use or retained, rounded up to 2 MiB; 0 for no limit but the
/// reserved range.
inline void set_limit(std::uint64_t bytes) { detail::check(rust_memory_set_limit(bytes)); }
/// Says how many bytes of slabs that come back are kept, and how long: 256 MiB and 10,000 ms
/// otherwise.
inline void set_retention(std::uint64_t bytes, std::uint64_t age_ms) {
    detail::check(rust_memory_set_retention(bytes, age_ms));
}
/// Asks the kernel for huge pages under the heap, or for none, as it is at first.
inline void set_huge_pages(bool huge) { detail::check(rust_memory_set_huge_pages(huge)); }
/// Walks every slab and throws an Error of kind INTERNAL if they contradict each other. Blocks must
/// not come and go meanwhile.
inline void check() { detail::check(rust_memory_check()); }

} // namespace memory

} // namespace mmsb

#endif // MMSB_HPP
