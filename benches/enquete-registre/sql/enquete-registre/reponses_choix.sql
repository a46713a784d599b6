-- One row a code that was chosen.
SELECT reponse_id, question, modalite AS code FROM choix
