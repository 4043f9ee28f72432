/* SPDX-License-Identifier: Apache-2.0 */
#include "account_rows.h"

static int put_limits(struct db_statement *insert, const struct store_process_account *account) {
	const struct store_limits *limits = &account->limits;
	if (!(limits->attributes_over_limit | limits->events_over_limit | limits->links_over_limit |
	      limits->values_cut | limits->dropped_links | limits->contexts_malformed))
		return 0;
	db_put_blob(insert, account->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, limits->attributes_over_limit);
	db_put_u64(insert, limits->events_over_limit);
	db_put_u64(insert, limits->links_over_limit);
	db_put_u64(insert, limits->values_cut);
	db_put_u64(insert, limits->dropped_links);
	db_put_u64(insert, limits->contexts_malformed);
	return db_run(insert);
}

static int put_statistics(struct db_statement *insert, const struct store_process_account *account) {
	if (!(account->statistics | account->statistics_overflowed))
		return 0;
	db_put_blob(insert, account->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, account->statistics);
	db_put_u64(insert, account->statistics_overflowed);
	return db_run(insert);
}

static int put_drops(struct db_statement *insert, const struct store_process_account *account) {
	if (!(account->dropped_async | account->dropped_contexts | account->dropped_reentry))
		return 0;
	db_put_blob(insert, account->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, account->dropped_async);
	db_put_u64(insert, account->dropped_contexts);
	db_put_u64(insert, account->dropped_reentry);
	return db_run(insert);
}

static int put_ending(struct db_statement *insert, const struct store_process_account *account) {
	if (account->ending == STORE_ENDING_UNKNOWN)
		return 0;
	db_put_blob(insert, account->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, account->ending);
	db_put_u64(insert, account->ending_value);
	return db_run(insert);
}

static int put_claim(struct db_statement *insert, const struct store_process_account *account) {
	if (account->claim == 0)
		return 0;
	db_put_blob(insert, account->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, account->claimed_uid);
	db_put_u64(insert, account->claim);
	return db_run(insert);
}

int account_rows_put(struct db_statement *const inserts[SCHEMA_TABLES], const struct store_process_account *account) {
	int error = put_limits(inserts[SCHEMA_LIMITS], account);
	if (!error)
		error = put_statistics(inserts[SCHEMA_STATISTICS], account);
	if (!error)
		error = put_drops(inserts[SCHEMA_DROPS], account);
	if (!error)
		error = put_ending(inserts[SCHEMA_ENDING], account);
	if (!error)
		error = put_claim(inserts[SCHEMA_CLAIM], account);
	return error;
}
