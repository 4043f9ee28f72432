/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libspanring for C++17: a span is an object that ends with its scope.
 *
 *     #include <spanring/spanring.hpp>
 *
 *     int parse(std::string_view path) {
 *         SPANRING_CXX_SPAN(span, "parse");                  // ends where the block ends
 *         SPANRING_CXX_SET(span, "file.path", path);         // the type of the value chooses the type of the attribute
 *         ...
 *         if (failed) span.set_status(spanring::status::error, "unexpected end of file");
 *         return rc;
 *     }
 *
 * Header only, over the C interface: the same promises (spanring.h), the same library. Nothing throws, nothing allocates, no
 * std::string is made; also for -fno-exceptions -fno-rtti. A span may be moved within its thread, never to another: give that
 * one its context, and let it begin a child of its own.
 */
#ifndef SPANRING_SPANRING_HPP
#define SPANRING_SPANRING_HPP

#include <cstdint>
#include <spanring/async.h>
#include <spanring/spanring.h>
#include <string_view>
#include <type_traits>

namespace spanring {

enum class kind : int {
	internal = SPANRING_KIND_INTERNAL,
	server = SPANRING_KIND_SERVER,
	client = SPANRING_KIND_CLIENT,
	producer = SPANRING_KIND_PRODUCER,
	consumer = SPANRING_KIND_CONSUMER
};

enum class status : int { unset = SPANRING_STATUS_UNSET, ok = SPANRING_STATUS_OK, error = SPANRING_STATUS_ERROR };

/* Sites, keys and contexts are those of C; sites and keys are static objects (SPANRING_SITE_INIT, SPANRING_KEY_INIT). */
using site = ::spanring_site;
using key = ::spanring_key;
using context = ::spanring_context;

/* Context of the innermost open span of this thread; all zero if there is none. */
[[nodiscard]] inline context current_context() noexcept {
	return ::spanring_context_current();
}

class [[nodiscard]] span {
      public:
	/* The empty span: everything may be called on it and does nothing. */
	span() noexcept = default;

	/* Child of the innermost open span of this thread, or root of a new trace. */
	explicit span(site &where) noexcept : handle_(::spanring_begin(&where)) {}

	/* Of another kind than its site says. */
	span(site &where, kind what) noexcept : handle_(begin(where, nullptr, &what)) {}

	/* Child of a span from elsewhere; an all-zero parent begins a new trace. */
	span(site &where, const context &parent) noexcept : handle_(begin(where, &parent, nullptr)) {}
	span(site &where, const context &parent, kind what) noexcept : handle_(begin(where, &parent, &what)) {}

	span(const span &) = delete;
	span &operator=(const span &) = delete;

	span(span &&other) noexcept : handle_(other.release()) {}

	span &operator=(span &&other) noexcept {
		if (this != &other) {
			end();
			handle_ = other.release();
		}
		return *this;
	}

	~span() {
		end();
	}

	/* End it now; it is empty afterwards. */
	void end() noexcept {
		::spanring_end(release());
	}

	/* false: it is empty, or was not recorded. */
	[[nodiscard]] explicit operator bool() const noexcept {
		return handle_.span_id != 0;
	}

	/* For functions of the C interface. The span still ends it. */
	[[nodiscard]] ::spanring_span handle() const noexcept {
		return handle_;
	}

	/* Give it up: whoever takes the handle ends it. */
	::spanring_span release() noexcept {
		const ::spanring_span handle = handle_;
		handle_.span_id = 0;
		return handle;
	}

	/* What a child on another thread needs. */
	[[nodiscard]] spanring::context context() const noexcept {
		return ::spanring_context_of(handle_);
	}

	/* description: only for status::error; may be null. */
	void set_status(status how, const char *description = nullptr) noexcept {
		if (*this)
			::spanring_set_status(handle_, static_cast<::spanring_status>(how), description);
	}

	/* bool, any integer of at most 64 bits, any floating type. A pointer that is no text does not compile. */
	template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
	void set(key &name, T value) noexcept {
		if (!*this)
			return;
		if constexpr (std::is_same_v<T, bool>) {
			::spanring_set_bool(handle_, &name, value);
		} else if constexpr (std::is_floating_point_v<T>) {
			::spanring_set_f64(handle_, &name, static_cast<double>(value));
		} else {
			static_assert(sizeof(T) <= sizeof(std::uint64_t), "attributes hold integers of 64 bits");
			if constexpr (std::is_signed_v<T>)
				::spanring_set_i64(handle_, &name, static_cast<std::int64_t>(value));
			else
				::spanring_set_u64(handle_, &name, static_cast<std::uint64_t>(value));
		}
	}

	/* UTF-8; null: as the empty text. */
	void set(key &name, const char *value) noexcept {
		if (*this)
			::spanring_set_string(handle_, &name, value ? value : "");
	}

	void set(key &name, std::string_view value) noexcept {
		if (*this)
			::spanring_set_bytes(handle_, &name, value.empty() ? "" : value.data(), value.size());
	}

	void event(key &name) noexcept {
		if (*this)
			::spanring_event(handle_, &name);
	}

      private:
	[[nodiscard]] static ::spanring_span begin(site &where, const spanring::context *parent,
	                                           const kind *what) noexcept {
		::spanring_begin_options options{};
		options.parent = parent;
		options.has_kind = what != nullptr;
		options.kind = what ? static_cast<int>(*what) : 0;
		return ::spanring_begin_with(&where, &options);
	}

	::spanring_span handle_{};
};

/*
 * A span that may be moved to another thread and ended there (async.h): an object that ends it when it is destroyed, wherever that is.
 * Not one that begins on its thread's stack: make its context current (attached_context) for children to find it.
 */
class [[nodiscard]] async_span {
      public:
	/* The empty span: everything may be called on it and does nothing. */
	async_span() noexcept = default;

	/* Child of what spans begun on this thread now are children of, or root of a new trace. */
	explicit async_span(site &where) noexcept : handle_(::spanring_async_begin(&where)) {}
	async_span(site &where, kind what) noexcept : handle_(begin(where, nullptr, &what)) {}

	/* Child of a span from elsewhere; an all-zero parent begins a new trace. */
	async_span(site &where, const context &parent) noexcept : handle_(begin(where, &parent, nullptr)) {}
	async_span(site &where, const context &parent, kind what) noexcept : handle_(begin(where, &parent, &what)) {}

	/* Take over a handle that was released. */
	explicit async_span(::spanring_async handle) noexcept : handle_(handle) {}

	async_span(const async_span &) = delete;
	async_span &operator=(const async_span &) = delete;

	async_span(async_span &&other) noexcept : handle_(other.release()) {}

	async_span &operator=(async_span &&other) noexcept {
		if (this != &other) {
			end();
			handle_ = other.release();
		}
		return *this;
	}

	~async_span() {
		end();
	}

	/* End it now, on this thread; it is empty afterwards. */
	void end() noexcept {
		const ::spanring_async handle = release();
		if (handle.span_id != 0)
			::spanring_async_end(handle);
	}

	/* false: it is empty, or was not recorded. */
	[[nodiscard]] explicit operator bool() const noexcept {
		return handle_.span_id != 0;
	}

	/* For functions of the C interface. The span still ends it. */
	[[nodiscard]] ::spanring_async handle() const noexcept {
		return handle_;
	}

	/* Give it up: whoever takes the handle ends it. */
	::spanring_async release() noexcept {
		const ::spanring_async handle = handle_;
		handle_ = ::spanring_async{};
		return handle;
	}

	/* For children anywhere. */
	[[nodiscard]] spanring::context context() const noexcept {
		return ::spanring_async_context(handle_);
	}

	/* description: only for status::error; may be null. */
	void set_status(status how, const char *description = nullptr) noexcept {
		if (*this)
			::spanring_async_set_status(handle_, static_cast<::spanring_status>(how), description);
	}

	/* As span::set. */
	template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
	void set(key &name, T value) noexcept {
		if (!*this)
			return;
		if constexpr (std::is_same_v<T, bool>) {
			::spanring_async_set_bool(handle_, &name, value);
		} else if constexpr (std::is_floating_point_v<T>) {
			::spanring_async_set_f64(handle_, &name, static_cast<double>(value));
		} else {
			static_assert(sizeof(T) <= sizeof(std::uint64_t), "attributes hold integers of 64 bits");
			if constexpr (std::is_signed_v<T>)
				::spanring_async_set_i64(handle_, &name, static_cast<std::int64_t>(value));
			else
				::spanring_async_set_u64(handle_, &name, static_cast<std::uint64_t>(value));
		}
	}

	void set(key &name, const char *value) noexcept {
		if (*this)
			::spanring_async_set_string(handle_, &name, value ? value : "");
	}

	void set(key &name, std::string_view value) noexcept {
		if (*this)
			::spanring_async_set_bytes(handle_, &name, value.empty() ? "" : value.data(), value.size());
	}

	void event(key &name) noexcept {
		if (*this)
			::spanring_async_event(handle_, &name);
	}

      private:
	[[nodiscard]] static ::spanring_async begin(site &where, const spanring::context *parent,
	                                            const kind *what) noexcept {
		::spanring_begin_options options{};
		options.parent = parent;
		options.has_kind = what != nullptr;
		options.kind = what ? static_cast<int>(*what) : 0;
		return ::spanring_async_begin_with(&where, &options);
	}

	::spanring_async handle_{};
};

/* The current context of this thread as long as the object lives: for event loops and coroutines, around each turn. */
class [[nodiscard]] attached_context {
      public:
	explicit attached_context(const context &what) noexcept : attachment_(::spanring_context_attach(&what)) {}
	explicit attached_context(const async_span &what) noexcept : attached_context(what.context()) {}

	attached_context(const attached_context &) = delete;
	attached_context &operator=(const attached_context &) = delete;

	~attached_context() {
		detach();
	}

	/* Before the end of the scope, on the same thread. */
	void detach() noexcept {
		if (attachment_.id != 0)
			::spanring_context_detach(attachment_);
		attachment_.id = 0;
	}

      private:
	::spanring_attachment attachment_{};
};

} /* namespace spanring */

/* A span in a variable of this name, with a static site of its own. */
#define SPANRING_CXX_SPAN(variable, name) SPANRING_CXX_SPAN_KIND(variable, name, ::spanring::kind::internal)
#define SPANRING_CXX_SPAN_KIND(variable, name, kind_)                                                                  \
	static ::spanring::site variable##_spanring_site = SPANRING_SITE_INIT(name, static_cast<int>(kind_));          \
	[[maybe_unused]] ::spanring::span variable(variable##_spanring_site)

/* The same with an explicit parent: a spanring::context. */
#define SPANRING_CXX_SPAN_CHILD_OF(variable, name, parent)                                                             \
	static ::spanring::site variable##_spanring_site = SPANRING_SITE_INIT(name, SPANRING_KIND_INTERNAL);           \
	[[maybe_unused]] ::spanring::span variable(variable##_spanring_site, (parent))

/* Set an attribute with a literal key, interned once; the value is evaluated only if the span is recorded. */
#define SPANRING_CXX_SET(span, name, ...)                                                                              \
	do {                                                                                                           \
		static ::spanring::key spanring__key = SPANRING_KEY_INIT(name);                                        \
		if (span)                                                                                              \
			(span).set(spanring__key, __VA_ARGS__);                                                        \
	} while (false)

/* Record an event with a literal name. */
#define SPANRING_CXX_EVENT(span, name)                                                                                 \
	do {                                                                                                           \
		static ::spanring::key spanring__name = SPANRING_KEY_INIT(name);                                       \
		(span).event(spanring__name);                                                                          \
	} while (false)

#endif
