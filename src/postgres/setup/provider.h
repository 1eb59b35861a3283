// Which managed service a server belongs to, by signs that it leaves, and what is done there where a
// superuser would do something elsewhere. From the services' documentation (docs/managed.md). Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace arrowcdc::postgres {

enum class Provider { kNone, kRds, kAurora, kCloudSql, kAlloyDb, kAzure, kNeon, kSupabase };

// Settings are asked for one by one, since those that a session has only heard of stand in no view.
std::vector<std::string> ProviderSettings();
std::vector<std::string> ProviderRoles();

// settings: of ProviderSettings, those that there are, and whatever else pg_settings has with a dot in its
// name. roles: of ProviderRoles. aurora: it has the function aurora_version.
Provider FindProvider(const std::set<std::string>& settings, const std::set<std::string>& roles, bool aurora);

const char* ProviderName(Provider provider);  // "Amazon RDS"

// What a service has of its own for it.
struct ProviderRemedy {
  std::string text;  // empty: as on any server
  std::string sql;   // that a user of the service can run; empty: none helps
};
// wal_level is not logical.
ProviderRemedy RaiseWalLevel(Provider provider);
// Another setting that takes a restart.
ProviderRemedy RaiseSetting(Provider provider, const std::string& setting);
// A role, quoted, is to use replication.
ProviderRemedy AllowReplication(Provider provider, const std::string& role);

}  // namespace arrowcdc::postgres
