"""Who there is: accounts, contacts, training sessions and who takes part, by hand or by CSV.

It stands beside planning: it knows the models alone. What is sent to these people is mail's and planning's.
"""
