// Makes TableSchema from what a decoder knows of a table. Used by every decoder, so that all agree on names
// and order.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>
#include <arrow/type.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// Keys of the metadata of fields and schemas, see docs/wire.md.
inline constexpr char kRoleKey[] = "arrowcdc:role";     // metadata columns: "op", "commit_lsn", ...
inline constexpr char kIdentityKey[] = "arrowcdc:key";  // place in the replica identity, from 1
// Only where a partition carries less than the table's own identity.
inline constexpr char kWeakenedKey[] = "arrowcdc:identity_weakened";
inline constexpr char kOwnIdentityKey[] = "arrowcdc:own_replica_identity";
inline constexpr char kOwnKeyKey[] = "arrowcdc:own_key";

// The identity's letter, on the wire as in files: 'd', 'i', 'f' or 'n'. None: another letter.
char ReplicaIdentityLetter(ReplicaIdentity identity);
std::optional<ReplicaIdentity> ParseReplicaIdentity(std::string_view letter);

// The full schema of a ChangeBatch: `columns` as they are, then the metadata columns, each named by
// MetadataColumnName with further "_" in front until no column of the table has its name, and its role in its
// metadata.
std::shared_ptr<arrow::Schema> MakeChangeSchema(
    const arrow::FieldVector& columns, const std::shared_ptr<const arrow::KeyValueMetadata>& metadata);

// Of all that a schema says, for decoders that make schemas themselves. `metadata` is the schema's; every
// column has its own.
uint64_t SchemaFingerprint(const arrow::FieldVector& columns, const arrow::KeyValueMetadata& metadata);

// A whole TableSchema; key_fields come from the columns' arrowcdc:key, except under FULL and NOTHING, where
// there is no key, and the own identity of a weakened table from `metadata` and arrowcdc:own_key. Errors:
// kProtocol where the places in a key are not 1 to n, or the own identity is unknown.
arrow::Result<std::shared_ptr<const TableSchema>> MakeTableSchema(
    TableName name, uint32_t table_id, uint64_t fingerprint, ReplicaIdentity replica_identity,
    const arrow::FieldVector& columns, const std::shared_ptr<const arrow::KeyValueMetadata>& metadata);

// For people: what a consumer of the table should know, and what can be done.
std::string WeakenedIdentityText(const WeakenedIdentity& weakened);
std::string WeakenedIdentityRemedy(const WeakenedIdentity& weakened);

// Names for one message: "public.a public.b and 3 more", the first five.
std::string FirstNames(const std::vector<TableName>& names);

}  // namespace arrowcdc
