/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#define U " INTEGER NOT NULL"
#define B " BLOB NOT NULL"

#define STRING_COLUMNS "id,text"
#define SITE_COLUMNS "id,name,file,line,kind"
#define PROCESS_COLUMNS "id,instance,pid,ppid,uid,clock_kind,attach_ns,attach_wall_ns,executable,command,service"
#define THREAD_COLUMNS "id,process,ring,tid,name,start_ns"
#define CURSOR_COLUMNS                                                                                                 \
	"instance,ring,state,position,begun,open,dropped_full,dropped_depth,dropped_attributes,dropped_events,"        \
	"stored_spans,stored_attributes,stored_events,rejected_spans,rejected_other,lost_records,reason"
#define ACCOUNT_COLUMNS                                                                                                \
	"instance,state,rings_made,time_ns,threads_untraced,dropped_no_ring,names_cut,sites_overflowed,"               \
	"strings_overflowed,misuse"
#define SCOPE_COLUMNS "site,name,version"
#define RESOURCE_COLUMNS "process,attributes,left_out"
#define LIMITS_COLUMNS                                                                                                 \
	"instance,attributes_over_limit,events_over_limit,links_over_limit,values_cut,dropped_links,contexts_malformed"
#define SAMPLING_COLUMNS "instance,ring,sampled_out,sampled_out_short"
#define STATISTICS_COLUMNS "instance,coverage,overflowed"
#define DROPS_COLUMNS "instance,dropped_async,dropped_contexts,dropped_reentry"
#define ENDING_COLUMNS "instance,ending,value"
#define CLAIM_COLUMNS "instance,uid,flags"
#define EVICTION_COLUMNS "reason,through,segments,spans,bytes"
#define EVICTED_RING_COLUMNS "instance,ring,spans"
#define EVICTED_PROCESS_COLUMNS "instance,processes,statistics_spans,dropped_no_ring,dropped_reentry,dropped_async"
#define DEPARTED_COLUMNS                                                                                               \
	"state,rings,begun,open,dropped_full,dropped_depth,dropped_attributes,dropped_events,stored_spans,"            \
	"stored_attributes,stored_events,rejected_spans,rejected_other,lost_records,sampled_out,sampled_out_short"
#define THINNED_COLUMNS "instance,ring,spans,attributes,events,weighted_spans,traces_in_part"
#define SAMPLE_COLUMNS                                                                                                 \
	"id,process,time_ns,threads,rss_bytes,pss_bytes,anonymous_bytes,swap_bytes,cpu_user_ns,cpu_system_ns,"         \
	"faults_minor,faults_major"
#define SAMPLE_DETAIL_COLUMNS                                                                                          \
	"id,switches_voluntary,switches_involuntary,descriptors,heap_allocated_bytes,heap_freed_bytes,pss_ns,pss_state"
#define AGENT_SAMPLE_COLUMNS                                                                                           \
	"id,pid,start_time,time_ns,threads,rss_bytes,pss_bytes,anonymous_bytes,swap_bytes,cpu_user_ns,cpu_system_ns,"  \
	"faults_minor,faults_major,switches_voluntary,switches_involuntary,descriptors,pss_ns,pss_state"
#define ROLLUP_COLUMNS                                                                                                 \
	"id,process,site,since_ns,until_ns,ns_per_tick_q32,count,errors,sum_ns,min_ns,max_ns,heap_allocated_units,"    \
	"heap_net_units,heap_spans,checksum,bins"
#define ROLLUP_TYPES                                                                                                   \
	"(id INTEGER PRIMARY KEY,process" U ",site" U ",since_ns" U ",until_ns" U ",ns_per_tick_q32" U ",count" U      \
	",errors" U ",sum_ns" U ",min_ns" U ",max_ns" U ",heap_allocated_units" U ",heap_net_units" U ",heap_spans" U  \
	",checksum" U ",bins" B ")"
#define ROLLUP_VALUES "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
#define ROLLUP_TOTAL_COLUMNS                                                                                           \
	"instance,site,time_ns,count,errors,sum_ticks,min_ticks,max_ticks,heap_allocated_units,heap_net_units,"        \
	"heap_spans,checksum,bins"
#define BATCH_COLUMNS                                                                                                  \
	"id,spans,attributes,events,text_bytes,start_ns_min,end_ns_max,duration_ns_max,checksum,bloom,directory,small"
#define SEAL_COLUMNS                                                                                                   \
	"id,batches,spans,attributes,events,start_ns_min,end_ns_max,batch_checksum,catalog_checksum,samples,"          \
	"sample_checksum,checksum"

const struct schema schema_tables[SCHEMA_TABLES] = {
    [SCHEMA_META] = {"meta", "CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL,value BLOB NOT NULL)WITHOUT ROWID",
                     "INSERT OR REPLACE INTO meta VALUES(?,?)", "SELECT key,value FROM meta ORDER BY key", false},
    [SCHEMA_STRING] = {"string", "CREATE TABLE string(id INTEGER PRIMARY KEY,text TEXT NOT NULL)",
                       "INSERT INTO string VALUES(?,?)", "SELECT " STRING_COLUMNS " FROM string ORDER BY id", false},
    [SCHEMA_SITE] = {"site", "CREATE TABLE site(id INTEGER PRIMARY KEY,name" U ",file" U ",line" U ",kind" U ")",
                     "INSERT INTO site VALUES(?,?,?,?,?)", "SELECT " SITE_COLUMNS " FROM site ORDER BY id", false},
    [SCHEMA_PROCESS] = {"process",
                        "CREATE TABLE process(id INTEGER PRIMARY KEY,instance" B ",pid" U ",ppid" U ",uid" U
                        ",clock_kind" U ",attach_ns" U ",attach_wall_ns" U ",executable" U ",command" U ",service" U
                        ")",
                        "INSERT INTO process VALUES(?,?,?,?,?,?,?,?,?,?,?)",
                        "SELECT " PROCESS_COLUMNS " FROM process ORDER BY id", false},
    [SCHEMA_THREAD] = {"thread",
                       "CREATE TABLE thread(id INTEGER PRIMARY KEY,process" U ",ring" U ",tid" U ",name" U ",start_ns" U
                       ")",
                       "INSERT INTO thread VALUES(?,?,?,?,?,?)", "SELECT " THREAD_COLUMNS " FROM thread ORDER BY id",
                       false},
    [SCHEMA_CURSOR] = {"cursor",
                       "CREATE TABLE cursor(instance" B ",ring" U ",state" U ",position" U ",begun" U ",open" U
                       ",dropped_full" U ",dropped_depth" U ",dropped_attributes" U ",dropped_events" U
                       ",stored_spans" U ",stored_attributes" U ",stored_events" U ",rejected_spans" U
                       ",rejected_other" U ",lost_records" U ",reason" U ",PRIMARY KEY(instance,ring))WITHOUT ROWID",
                       "INSERT OR REPLACE INTO cursor VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       "SELECT " CURSOR_COLUMNS " FROM cursor ORDER BY instance,ring", false},
    [SCHEMA_ACCOUNT] = {"account",
                        "CREATE TABLE account(instance BLOB PRIMARY KEY NOT NULL,state" U ",rings_made" U ",time_ns" U
                        ",threads_untraced" U ",dropped_no_ring" U ",names_cut" U ",sites_overflowed" U
                        ",strings_overflowed" U ",misuse" U ")WITHOUT ROWID",
                        "INSERT OR REPLACE INTO account VALUES(?,?,?,?,?,?,?,?,?,?)",
                        "SELECT " ACCOUNT_COLUMNS " FROM account ORDER BY instance", false},
    [SCHEMA_SCOPE] = {"scope", "CREATE TABLE scope(site INTEGER PRIMARY KEY,name" U ",version" U ")",
                      "INSERT INTO scope VALUES(?,?,?)", "SELECT " SCOPE_COLUMNS " FROM scope ORDER BY site", true},
    [SCHEMA_RESOURCE] = {"resource", "CREATE TABLE resource(process INTEGER PRIMARY KEY,attributes" U ",left_out" U ")",
                         "INSERT INTO resource VALUES(?,?,?)",
                         "SELECT " RESOURCE_COLUMNS " FROM resource ORDER BY process", true},
    [SCHEMA_LIMITS] = {"limits",
                       "CREATE TABLE limits(instance BLOB PRIMARY KEY NOT NULL,attributes_over_limit" U
                       ",events_over_limit" U ",links_over_limit" U ",values_cut" U ",dropped_links" U
                       ",contexts_malformed" U ")WITHOUT ROWID",
                       "INSERT OR REPLACE INTO limits VALUES(?,?,?,?,?,?,?)",
                       "SELECT " LIMITS_COLUMNS " FROM limits ORDER BY instance", true},
    [SCHEMA_SAMPLING] = {"sampling",
                         "CREATE TABLE sampling(instance" B ",ring" U ",sampled_out" U ",sampled_out_short" U
                         ",PRIMARY KEY(instance,ring))WITHOUT ROWID",
                         "INSERT OR REPLACE INTO sampling VALUES(?,?,?,?)",
                         "SELECT " SAMPLING_COLUMNS " FROM sampling ORDER BY instance,ring", true},
    [SCHEMA_STATISTICS] = {"statistics",
                           "CREATE TABLE statistics(instance BLOB PRIMARY KEY NOT NULL,coverage" U ",overflowed" U
                           ")WITHOUT ROWID",
                           "INSERT OR REPLACE INTO statistics VALUES(?,?,?)",
                           "SELECT " STATISTICS_COLUMNS " FROM statistics ORDER BY instance", true},
    [SCHEMA_DROPS] = {"drops",
                      "CREATE TABLE drops(instance BLOB PRIMARY KEY NOT NULL,dropped_async" U ",dropped_contexts" U
                      ",dropped_reentry" U ")WITHOUT ROWID",
                      "INSERT OR REPLACE INTO drops VALUES(?,?,?,?)",
                      "SELECT " DROPS_COLUMNS " FROM drops ORDER BY instance", true},
    [SCHEMA_ENDING] = {"ending",
                       "CREATE TABLE ending(instance BLOB PRIMARY KEY NOT NULL,ending" U ",value" U ")WITHOUT ROWID",
                       "INSERT OR REPLACE INTO ending VALUES(?,?,?)",
                       "SELECT " ENDING_COLUMNS " FROM ending ORDER BY instance", true},
    [SCHEMA_CLAIM] = {"claim",
                      "CREATE TABLE claim(instance BLOB PRIMARY KEY NOT NULL,uid" U ",flags" U ")WITHOUT ROWID",
                      "INSERT OR REPLACE INTO claim VALUES(?,?,?)",
                      "SELECT " CLAIM_COLUMNS " FROM claim ORDER BY instance", true},
    [SCHEMA_EVICTION] = {"eviction",
                         "CREATE TABLE eviction(reason INTEGER PRIMARY KEY,through" U ",segments" U ",spans" U
                         ",bytes" U ")",
                         "INSERT OR REPLACE INTO eviction VALUES(?,?,?,?,?)",
                         "SELECT " EVICTION_COLUMNS " FROM eviction ORDER BY reason", true},
    [SCHEMA_EVICTED_RING] = {"evicted_ring",
                             "CREATE TABLE evicted_ring(instance" B ",ring" U ",spans" U
                             ",PRIMARY KEY(instance,ring))WITHOUT ROWID",
                             "INSERT OR REPLACE INTO evicted_ring VALUES(?,?,?)",
                             "SELECT " EVICTED_RING_COLUMNS " FROM evicted_ring ORDER BY instance,ring", true},
    [SCHEMA_EVICTED_PROCESS] = {"evicted_process",
                                "CREATE TABLE evicted_process(instance BLOB PRIMARY KEY NOT NULL,processes" U
                                ",statistics_spans" U ",dropped_no_ring" U ",dropped_reentry" U ",dropped_async" U
                                ")WITHOUT ROWID",
                                "INSERT OR REPLACE INTO evicted_process VALUES(?,?,?,?,?,?)",
                                "SELECT " EVICTED_PROCESS_COLUMNS " FROM evicted_process ORDER BY instance", true},
    [SCHEMA_DEPARTED] = {"departed",
                         "CREATE TABLE departed(state INTEGER PRIMARY KEY,rings" U ",begun" U ",open" U
                         ",dropped_full" U ",dropped_depth" U ",dropped_attributes" U ",dropped_events" U
                         ",stored_spans" U ",stored_attributes" U ",stored_events" U ",rejected_spans" U
                         ",rejected_other" U ",lost_records" U ",sampled_out" U ",sampled_out_short" U ")",
                         "INSERT OR REPLACE INTO departed VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                         "SELECT " DEPARTED_COLUMNS " FROM departed ORDER BY state", true},
    [SCHEMA_THINNED] = {"thinned",
                        "CREATE TABLE thinned(instance" B ",ring" U ",spans" U ",attributes" U ",events" U
                        ",weighted_spans" U ",traces_in_part" U ",PRIMARY KEY(instance,ring))WITHOUT ROWID",
                        "INSERT OR REPLACE INTO thinned VALUES(?,?,?,?,?,?,?)",
                        "SELECT " THINNED_COLUMNS " FROM thinned ORDER BY instance,ring", true},
    [SCHEMA_SAMPLE] = {"sample",
                       "CREATE TABLE sample(id INTEGER PRIMARY KEY,process" U ",time_ns" U ",threads" U ",rss_bytes" U
                       ",pss_bytes" U ",anonymous_bytes" U ",swap_bytes" U ",cpu_user_ns" U ",cpu_system_ns" U
                       ",faults_minor" U ",faults_major" U ")",
                       "INSERT INTO sample VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                       "SELECT " SAMPLE_COLUMNS " FROM sample ORDER BY id", false},
    [SCHEMA_SAMPLE_DETAIL] = {"sample_detail",
                              "CREATE TABLE sample_detail(id INTEGER PRIMARY KEY,switches_voluntary" U
                              ",switches_involuntary" U ",descriptors" U ",heap_allocated_bytes" U ",heap_freed_bytes" U
                              ",pss_ns" U ",pss_state" U ")",
                              "INSERT INTO sample_detail VALUES(?,?,?,?,?,?,?,?)",
                              "SELECT " SAMPLE_DETAIL_COLUMNS " FROM sample_detail ORDER BY id", true},
    [SCHEMA_AGENT_SAMPLE] = {"agent_sample",
                             "CREATE TABLE agent_sample(id INTEGER PRIMARY KEY,pid" U ",start_time" U ",time_ns" U
                             ",threads" U ",rss_bytes" U ",pss_bytes" U ",anonymous_bytes" U ",swap_bytes" U
                             ",cpu_user_ns" U ",cpu_system_ns" U ",faults_minor" U ",faults_major" U
                             ",switches_voluntary" U ",switches_involuntary" U ",descriptors" U ",pss_ns" U
                             ",pss_state" U ")",
                             "INSERT INTO agent_sample VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                             "SELECT " AGENT_SAMPLE_COLUMNS " FROM agent_sample ORDER BY id", true},
    [SCHEMA_ROLLUP] = {"rollup", "CREATE TABLE rollup" ROLLUP_TYPES, "INSERT INTO rollup VALUES" ROLLUP_VALUES,
                       "SELECT " ROLLUP_COLUMNS " FROM rollup ORDER BY id", true},
    [SCHEMA_ROLLUP_SEGMENT] = {"rollup_segment", "CREATE TABLE rollup_segment" ROLLUP_TYPES,
                               "INSERT INTO rollup_segment VALUES" ROLLUP_VALUES,
                               "SELECT " ROLLUP_COLUMNS " FROM rollup_segment ORDER BY id", true},
    [SCHEMA_ROLLUP_SITE] = {"rollup_site", "CREATE TABLE rollup_site" ROLLUP_TYPES,
                            "INSERT INTO rollup_site VALUES" ROLLUP_VALUES,
                            "SELECT " ROLLUP_COLUMNS " FROM rollup_site ORDER BY id", true},
    [SCHEMA_ROLLUP_TOTAL] = {"rollup_total",
                             "CREATE TABLE rollup_total(instance" B ",site" U ",time_ns" U ",count" U ",errors" U
                             ",sum_ticks" U ",min_ticks" U ",max_ticks" U ",heap_allocated_units" U ",heap_net_units" U
                             ",heap_spans" U ",checksum" U ",bins" B ",PRIMARY KEY(instance,site))WITHOUT ROWID",
                             "INSERT OR REPLACE INTO rollup_total VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
                             "SELECT " ROLLUP_TOTAL_COLUMNS " FROM rollup_total ORDER BY instance,site", true},
    [SCHEMA_BATCH] = {"batch",
                      "CREATE TABLE batch(id INTEGER PRIMARY KEY,spans" U ",attributes" U ",events" U ",text_bytes" U
                      ",start_ns_min" U ",end_ns_max" U ",duration_ns_max" U ",checksum" U ",bloom" B ",directory" B
                      ",small" B ")",
                      "INSERT INTO batch VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                      "SELECT " BATCH_COLUMNS " FROM batch ORDER BY id", false},
    [SCHEMA_COLUMN_BLOB] = {"column_blob", "CREATE TABLE column_blob(id INTEGER PRIMARY KEY,data" B ")",
                            "INSERT INTO column_blob VALUES(?,?)", "SELECT id,data FROM column_blob ORDER BY id",
                            false},
    [SCHEMA_SEAL] = {"seal",
                     "CREATE TABLE seal(id INTEGER PRIMARY KEY,batches" U ",spans" U ",attributes" U ",events" U
                     ",start_ns_min" U ",end_ns_max" U ",batch_checksum" U ",catalog_checksum" U ",samples" U
                     ",sample_checksum" U ",checksum" U ")",
                     "INSERT INTO seal VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                     "SELECT " SEAL_COLUMNS " FROM seal ORDER BY id", false},
};
