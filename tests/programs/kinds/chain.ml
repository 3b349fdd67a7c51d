(* SPDX-License-Identifier: Apache-2.0 *)
(* chain_ml [SECONDS]: work < inner < outer < an exception handler < List.iter. *)
let[@inline never] work x =
  let x = ref x in
  for _ = 1 to 20000 do
    x := !x lxor (!x lsl 13);
    x := !x lxor (!x lsr 7)
  done;
  !x

let[@inline never] inner x = 1 + work x
let[@inline never] outer x = try 3 * inner x with Not_found -> 0

let () =
  let seconds = if Array.length Sys.argv > 1 then float_of_string Sys.argv.(1) else 60. in
  let last = Sys.time () +. seconds and x = ref 1 in
  while Sys.time () < last do
    List.iter (fun y -> x := outer (!x + y)) [ 1; 2; 3 ]
  done;
  if !x = 0 then print_string "0"
