"""What a person does at Azure, where no call helps or the connector is off."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation

_OPEN = (
    "In the Azure portal open the storage account > Containers and look for the person's folder (by the company's "
    "naming convention) with 'Show deleted blobs' and versions on. "
)
_LOGS = "Open the Log Analytics workspace > Logs and filter the tables by the account id and the e-mail address. "
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + _LOGS + "Note how many blobs and rows there are.",
    Operation.EXPORT: _OPEN
    + "Rehydrate archived blobs (Change tier > Hot, takes hours), then download every blob. "
    + _LOGS
    + "Export the rows as CSV. Add everything to the package.",
    Operation.ERASE: _OPEN + "Delete every blob with its snapshots and versions. Where a legal hold, an immutability "
    "policy or a lease stops you, ask the DPO whether it must stay; if not, remove it under Access policy and delete. "
    "In Backup vaults delete recovery points that hold the blobs. " + _LOGS + "If there are rows, purge them (role "
    "Data Purger). Search again: nothing may be found.",
    Operation.SUPPRESS: "In the Azure portal open the Email Communication Service > the domain > Suppression lists, "
    "and add the person's address, in lower case, to the list of every sender.",
    Operation.RESTRICT: _OPEN + "Move the blobs to a container that only the DPO can read, and set a legal hold on it. "
    "Stop the software from writing new ones.",
    Operation.LIFT: _OPEN + "Remove the legal hold from the restricted container and move the blobs back.",
    Operation.RECTIFY: _OPEN + "Correct the data in the software that writes the blobs, let it write them again, and "
    "delete older versions. Log rows cannot be corrected; purge wrong ones.",
}
