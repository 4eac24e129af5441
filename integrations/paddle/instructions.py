"""What works at Paddle and how, what a person does there, and what Paddle keeps."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Residue, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.COMPOSED,
    Operation.RESTRICT: Support.COMPOSED,
    Operation.LIFT: Support.COMPOSED,
    Operation.RECTIFY: Support.COMPOSED,
}

_OPEN = "In Paddle open Customers and search for the e-mail address; look also under the status Archived. "
DELETION_REQUEST = (
    "Ask Paddle to delete the buyer's data that it holds as merchant of record: write to sellers@paddle.com with the "
    "buyer's first name, last name and e-mail address, say that it is a data deletion request, and add the Paddle id "
    "of the customer (Customers, search for the reference of this request). The buyer can also use Paddle's form "
    "'Request Data Deletion'. Paddle confirms to the buyer and keeps some transaction data for 5 years; tell the "
    "person so. Mark this task as done when the request has been sent and Paddle has confirmed it."
)
LIVE_SUBSCRIPTION = (
    "A subscription is still running and was NOT cancelled; the customer was left as it is, for receipts and renewals "
    "need it. Ask the person whether to cancel now or at the end of the paid period, decide about a refund, and cancel "
    "in Paddle (Subscriptions, Cancel). When it has ended, delete the payment methods, remove the name and the address "
    "lines, and archive the customer. "
)
PAUSE = (
    "A subscription is still running, so the customer was marked but not archived: an archived customer cannot be "
    "billed. Decide with the person whether to pause it (Paddle, Subscriptions, Pause) or to cancel it."
)
INVOICES_AND_MORE = (
    "The name and address of the customer are changed where the API allows. " + _OPEN + "Change the company under "
    "Businesses and the street under Addresses. An invoice that was issued can be corrected once: open the "
    "transaction, choose Edit details (name, business, tax number, address except the country)."
)

INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many customers, subscriptions and transactions there are; two accounts: ask the "
    "data protection officer.",
    Operation.EXPORT: _OPEN + "Save the customer's page, its addresses, businesses, subscriptions and transactions, "
    "and download every invoice.",
    Operation.ERASE: _OPEN + "If no subscription runs, delete the saved payment methods, remove the name, the address "
    "lines and the custom data, and archive the customer. If one runs, ask the person first: cancelling is final. "
    + DELETION_REQUEST,
    Operation.SUPPRESS: _OPEN + 'Add "marketing": false to the custom data of the customer (for an age report also '
    '"privacy_under_16_reported": true). Paddle itself mails receipts only.',
    Operation.RESTRICT: _OPEN + 'Add "privacy_restricted": "active" to the custom data, and archive the customer if no '
    "subscription runs.",
    Operation.LIFT: _OPEN + "Remove privacy_restricted from the custom data and make the customer active again.",
    Operation.RECTIFY: _OPEN + "Edit name and e-mail address. " + INVOICES_AND_MORE,
}

TRANSACTIONS = Residue(
    "Transaction data at Paddle, as the seller and a controller of its own",
    "legal obligations of the merchant of record (Art. 17(3)(b))",
    "5 years",
    kept_by_law=True,
)
