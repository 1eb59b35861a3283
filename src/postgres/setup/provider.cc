// A row a service.
#include "src/postgres/setup/provider.h"

#include <algorithm>

namespace arrowcdc::postgres {
namespace {

struct Signs {
  Provider provider;
  const char* name;
  std::vector<const char*> settings;  // a name; or a prefix, with the dot at its end
  std::vector<const char*> roles;
  const char* logical;     // how wal_level becomes logical
  const char* parameters;  // where other settings are, and when they are in force
};

// Those whose signs another service has, too, come first.
const std::vector<Signs>& Services() {
  static const std::vector<Signs> services = {
      {Provider::kNeon,
       "Neon",
       {"neon.", "neon.tenant_id", "neon.timeline_id"},
       {"neon_superuser"},
       "enable logical replication in the project's settings (it restarts all computes, and cannot be taken "
       "back)",
       "it is Neon's to set: ask its support"},
      {Provider::kSupabase,
       "Supabase",
       {"supautils.", "supautils.reserved_roles"},
       {"supabase_admin"},
       "projects have wal_level logical from the start: ask the support of Supabase",
       "set it with the CLI of Supabase (supabase postgres-config update), which restarts the database"},
      {Provider::kAlloyDb,
       "Google AlloyDB",
       {"alloydb.", "alloydb.logical_decoding", "alloydb.iam_authentication"},
       {"alloydbsuperuser", "alloydbadmin"},
       "set the flag alloydb.logical_decoding of the primary instance to on, which restarts it",
       "set the flag of this name, which restarts the instance"},
      {Provider::kCloudSql,
       "Google Cloud SQL",
       {"cloudsql.", "cloudsql.logical_decoding", "cloudsql.iam_authentication"},
       {"cloudsqlsuperuser", "cloudsqladmin"},
       "set the flag cloudsql.logical_decoding of the instance to on, which restarts it",
       "set the flag of this name, which restarts the instance"},
      {Provider::kAzure,
       "Azure Database for PostgreSQL",
       {"azure.", "azure.extensions"},
       {"azure_pg_admin", "azuresu"},
       "set the server parameter wal_level to logical, then save and restart the server",
       "set the server parameter of this name, then save and restart the server"},
      {Provider::kAurora,
       "Amazon Aurora",
       {},
       {},
       "set rds.logical_replication = 1 in the DB cluster parameter group, then reboot the writer",
       "set it in the DB cluster parameter group, then reboot the writer"},
      {Provider::kRds,
       "Amazon RDS",
       {"rds.", "rds.logical_replication", "rds.extensions"},
       {"rds_superuser", "rds_replication"},
       "set rds.logical_replication = 1 in the instance's DB parameter group (a group of your own: the "
       "default "
       "one cannot be changed), then reboot the instance",
       "set it in the instance's DB parameter group, then reboot the instance"}};
  return services;
}

const Signs* Find(Provider provider) {
  const auto& services = Services();
  const auto found = std::find_if(services.begin(), services.end(),
                                  [&](const Signs& one) { return one.provider == provider; });
  return found == services.end() ? nullptr : &*found;
}

bool IsPrefix(const std::string& sign) { return sign.ends_with('.'); }

}  // namespace

std::vector<std::string> ProviderSettings() {
  std::vector<std::string> names;
  for (const Signs& service : Services()) {
    for (const std::string sign : service.settings) {
      if (!IsPrefix(sign)) names.push_back(sign);
    }
  }
  return names;
}

std::vector<std::string> ProviderRoles() {
  std::vector<std::string> names;
  for (const Signs& service : Services())
    names.insert(names.end(), service.roles.begin(), service.roles.end());
  return names;
}

Provider FindProvider(const std::set<std::string>& settings, const std::set<std::string>& roles,
                      bool aurora) {
  const auto has_setting = [&](const std::string& sign) {
    const auto found = settings.lower_bound(sign);
    return found != settings.end() && (IsPrefix(sign) ? found->starts_with(sign) : *found == sign);
  };
  for (const Signs& service : Services()) {
    const bool found = (service.provider == Provider::kAurora && aurora) ||
                       std::any_of(service.settings.begin(), service.settings.end(), has_setting) ||
                       std::any_of(service.roles.begin(), service.roles.end(),
                                   [&](const char* role) { return roles.contains(role); });
    if (found) return service.provider;
  }
  return Provider::kNone;
}

const char* ProviderName(Provider provider) {
  const Signs* const service = Find(provider);
  return service == nullptr ? "" : service->name;
}

ProviderRemedy RaiseWalLevel(Provider provider) {
  const Signs* const service = Find(provider);
  if (service == nullptr) return {};
  return {std::string("on ") + service->name + ": " + service->logical, ""};
}

ProviderRemedy RaiseSetting(Provider provider, const std::string& setting) {
  const Signs* const service = Find(provider);
  if (service == nullptr) return {};
  return {"raise " + setting + "; on " + service->name + ": " + service->parameters, ""};
}

ProviderRemedy AllowReplication(Provider provider, const std::string& role) {
  const std::string grant = "GRANT rds_replication TO " + role;
  const std::string alter = "ALTER ROLE " + role + " REPLICATION";
  switch (provider) {
    case Provider::kNone:
      return {};
    case Provider::kRds:
    case Provider::kAurora:
      return {
          "on Amazon RDS and Aurora the right is membership in rds_replication: a member of rds_superuser "
          "must run: " +
              grant,
          grant};
    case Provider::kCloudSql:
      return {"a member of cloudsqlsuperuser (the user postgres) must run: " + alter, alter};
    case Provider::kAlloyDb:
      return {"a member of alloydbsuperuser (the user postgres) must run: " + alter, alter};
    case Provider::kAzure:
      return {"the server's administrator (a member of azure_pg_admin) must run: " + alter, alter};
    case Provider::kNeon:
      return {
          "use a role that was made in Neon's console, by its CLI or API, which has the right as a member "
          "of neon_superuser, or let such a role run: " +
              alter,
          alter};
    case Provider::kSupabase:
      return {"the user postgres must run: " + alter, alter};
  }
  return {};
}

}  // namespace arrowcdc::postgres
